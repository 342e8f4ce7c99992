/** The book of VMs: names are taken once, entries are never half-written, keys never change. */
import {
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { GolemError } from '@vm-on-golem/shared/errors';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { VmBook } from '../../src/state/book.ts';
import { cachedNames, readCached } from '../../src/state/cached.ts';
import { pinHostKey } from '../../src/state/host-keys.ts';
import { pathsFrom } from '../../src/state/paths.ts';
import { HOST_KEY, vmOf } from '../network.ts';

const PROVIDER = `gp_${'a'.repeat(26)}`;
const OTHER_KEY = HOST_KEY.replace(/MDAw$/, 'MDAx');
const AT = Date.UTC(2026, 0, 2);
const SEEN = new Date(AT).toISOString();

let home: string;
let vms: string;
const bookAt = (folder = vms) =>
  new VmBook(folder, {
    ...{ ownKey: join(folder, '..', 'ssh', 'id_ed25519'), now: () => AT },
    discovery: 'https://discovery.test',
  });
const rental = (name: string) => ({ name, provider: PROVIDER });
const stored = async (name: string) =>
  JSON.parse(await readFile(join(vms, `${name}.json`), 'utf8')) as unknown;

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'golem book-'));
  vms = join(home, 'vms');
});
afterEach(() => rm(home, { recursive: true }));

describe('an entry', () => {
  test('says where its provider is reached, when it was seen, and no key that is our own', async () => {
    const book = bookAt();
    expect(await book.claim('web', { ...rental('web'), vm: vmOf() })).toBe(true);
    expect(await stored('web')).toEqual({
      ...{ version: 2, ...rental('web'), vm: vmOf() },
      ...{ discovery: 'https://discovery.test', seenAt: SEEN, sshKey: undefined },
    });
    expect(((await stat(join(vms, 'web.json'))).mode & 0o777).toString(8)).toBe('600');
    expect(await book.get('web')).toMatchObject({ sshKey: join(vms, '..', 'ssh', 'id_ed25519') });
    expect(await book.claim('db', { ...rental('db'), sshKey: '/k' })).toBe(true);
    expect(await book.get('db')).toMatchObject({ sshKey: '/k' });
  });

  test('of the first version is read, and becomes one of the second when it changes', async () => {
    const first = { name: 'web', provider: PROVIDER, vm: vmOf({ state: 'stopped' }), sshKey: '/k' };
    await mkdir(vms);
    await writeFile(join(vms, 'web.json'), JSON.stringify(first));
    const book = bookAt();
    expect(await book.get('web')).toEqual(first);
    await book.update('web', vmOf().id, (now) => ({ ...now, vm: vmOf() }));
    expect(await stored('web')).toMatchObject({ version: 2, seenAt: SEEN, sshKey: '/k' });
  });

  test('of a version to come is left alone', async () => {
    await mkdir(vms);
    const text = JSON.stringify({ version: 3, ...rental('web') });
    await writeFile(join(vms, 'web.json'), text);
    const refusal = { code: 'incompatible' };
    await expect(bookAt().get('web')).rejects.toMatchObject(refusal);
    await expect(bookAt().put({ ...rental('web'), sshKey: '' })).rejects.toMatchObject(refusal);
    await expect(bookAt().setAside('web')).rejects.toMatchObject(refusal);
    expect(await bookAt().claim('web', rental('web'))).toBe(false);
    expect(await readFile(join(vms, 'web.json'), 'utf8')).toBe(text);
  });

  test('opens with the key that is in the same folder, also after that was moved', async () => {
    await bookAt().claim('web', rental('web'));
    await rename(home, `${home} moved`);
    home = `${home} moved`;
    const moved = bookAt(join(home, 'vms'));
    expect(await moved.get('web')).toMatchObject({
      sshKey: join(home, 'vms', '..', 'ssh', 'id_ed25519'),
    });
  });
});

describe('a name', () => {
  test('is taken once', async () => {
    const book = bookAt();
    const claims = Array.from({ length: 20 }, (_, at) =>
      book.claim('web', { ...rental('web'), sshKey: `/k${at}` }),
    );
    const won = (await Promise.all(claims)).flatMap((isMine, at) => (isMine ? [`/k${at}`] : []));
    expect(won).toHaveLength(1);
    expect(await book.get('web')).toMatchObject({ sshKey: won[0] });
  });

  test('is no path', async () => {
    await writeFile(join(home, 'secret.json'), JSON.stringify(rental('secret')));
    expect(await bookAt().get('../secret')).toBeUndefined();
    await bookAt().remove('../secret');
    expect(await readdir(home)).toContain('secret.json');
  });
});

describe('an update', () => {
  test('leaves alone what is another VM by now', async () => {
    const book = bookAt();
    await book.claim('web', { ...rental('web'), vm: vmOf() });
    await book.update('web', `vm_${'b'.repeat(20)}`, () => undefined);
    await book.update('web', undefined, () => undefined);
    expect(await book.get('web')).toMatchObject({ vm: { id: vmOf().id } });
    await book.update('web', vmOf().id, () => undefined);
    expect(await book.get('web')).toBeUndefined();
    await book.update('web', vmOf().id, () => expect.fail('nothing is there'));
  });

  test('loses none to another one', async () => {
    const [one, other] = [bookAt(), bookAt()];
    await one.claim('web', { ...rental('web'), vm: vmOf({ labels: {} }) });
    const names = Array.from({ length: 40 }, (_, at) => `n${at}`);
    await Promise.all(
      names.map((name, at) =>
        (at % 2 ? one : other).update('web', vmOf().id, (now) => ({
          ...now,
          vm: vmOf({ labels: { ...now.vm?.labels, [name]: 'x' } }),
        })),
      ),
    );
    expect(Object.keys((await one.get('web'))?.vm?.labels ?? {}).sort()).toEqual(names.sort());
  });

  test('takes no other host key for the same VM', async () => {
    const book = bookAt();
    await book.claim('web', { ...rental('web'), vm: vmOf() });
    const swap = book.update('web', vmOf().id, (now) => ({
      ...now,
      vm: vmOf({ hostKey: OTHER_KEY }),
    }));
    await expect(swap).rejects.toMatchObject({ code: 'host_key_changed', exitCode: 4 });
    expect(await book.get('web')).toMatchObject({ vm: { hostKey: HOST_KEY } });
    await book.update('web', vmOf().id, (now) => ({
      ...now,
      vm: vmOf({ hostKey: `${HOST_KEY} another comment` }),
    }));
  });

  test('forgets nothing whose owner is just changing', async () => {
    const book = new VmBook(vms, { isMoving: (provider) => provider === PROVIDER });
    await book.claim('web', { ...rental('web'), vm: vmOf() });
    await book.update('web', vmOf().id, () => undefined);
    await book.remove('web');
    expect(await book.get('web')).toBeDefined();
  });
});

describe('what is damaged', () => {
  const damages = ['', '{', 'null', '[]', '{"name":"web"}', '{"version":"2"}', '\u0000\u0000'];

  test.each(damages)('is named, and keeps nobody from the rest: %j', async (text) => {
    const told: GolemError[] = [];
    const book = new VmBook(vms, { onDamage: (error) => void told.push(error) });
    await book.claim('db', rental('db'));
    const path = join(vms, 'web.json');
    await writeFile(path, text);
    await expect(book.get('web')).rejects.toHaveProperty('hint', expect.stringContaining(path));
    expect((await book.all()).map(({ name }) => name)).toEqual(['db']);
    expect(told.map(({ message }) => message)).toEqual([`${path} is damaged.`]);
    expect(await readFile(path, 'utf8')).toBe(text);
    expect(readCached(vms).map(({ name }) => name)).toEqual(['db']);
    expect(cachedNames(vms)).toEqual(['db', 'web']);
  });

  test('is put aside only if it is', async () => {
    const book = bookAt();
    await book.claim('db', rental('db'));
    await writeFile(join(vms, 'web.json'), '{');
    expect(await book.setAside('db')).toBeUndefined();
    expect(await book.setAside('web')).toBe(join(vms, 'web.json.damaged'));
    expect(await book.claim('web', rental('web'))).toBe(true);
  });
});

test('what killed programs left behind goes, what others are writing stays', async () => {
  const book = bookAt();
  await book.claim('web', rental('web'));
  for (const name of ['old', 'fresh']) await writeFile(join(vms, `x.json.${name}.new`), '{');
  const long = AT / 1000 - 3600;
  await utimes(join(vms, 'x.json.old.new'), long, long);
  await utimes(join(vms, 'x.json.fresh.new'), AT / 1000, AT / 1000);
  await book.claim('db', rental('db'));
  expect((await readdir(vms)).filter((name) => name.endsWith('.new'))).toEqual([
    'x.json.fresh.new',
  ]);
  expect((await book.all()).map(({ name }) => name)).toEqual(['db', 'web']);
});

test('the cache is read without the book, and is nothing where nothing is', async () => {
  expect(readCached(vms)).toEqual([]);
  expect(cachedNames(vms)).toEqual([]);
  await bookAt().claim('web', { ...rental('web'), vm: vmOf() });
  expect(readCached(vms)).toMatchObject([{ ...rental('web'), vm: vmOf() }]);
});

test('a host key is pinned once, and never replaced', async () => {
  const paths = pathsFrom({ GOLEM_HOME: home });
  const provider = PROVIDER;
  await pinHostKey(paths, { provider, vm: vmOf() });
  await pinHostKey(paths, { provider, vm: vmOf({ hostKey: `${HOST_KEY} comment` }) });
  const file = join(home, 'ssh', 'known_hosts', `${vmOf().id}.${PROVIDER}`);
  await expect(
    pinHostKey(paths, { provider, vm: vmOf({ hostKey: OTHER_KEY }) }),
  ).rejects.toMatchObject({
    ...{ code: 'host_key_changed', hint: expect.stringContaining(file) as string },
  });
  expect(await readFile(file, 'utf8')).toBe(`${vmOf().id}.${PROVIDER} ${HOST_KEY}\n`);
});
