/** A backup is enough on another machine, and nothing to whoever has no passphrase. */
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import type { GolemError } from '@vm-on-golem/shared/errors';
import { generatePrivateJwk } from '@vm-on-golem/shared/keys';
import type { Vm } from '@vm-on-golem/shared/vm';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { backup } from '../../src/commands/key/backup.ts';
import { restore } from '../../src/commands/key/restore.ts';
import { list } from '../../src/commands/vm/list.ts';
import { backupText, openBackup, type Backup } from '../../src/state/backup.ts';
import { pinHostKey } from '../../src/state/host-keys.ts';
import { loadIdentity } from '../../src/state/identity.ts';
import { ownSshKey } from '../../src/state/ssh-keys.ts';
import type { TestContext } from '../context.ts';
import { serve, server, vmOf } from '../network.ts';
import { orderedBy, OwnedProvider, personOf, remember } from './world.ts';

const AT = '2026-01-01T00:00:00.000Z';
const OTHER_HOST_KEY =
  'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDExMTExMTExMTExMTExMTExMTExMTExMTExMTExMTEx';
const PASSPHRASE = 'correct horse battery';
let folder: string;
let file: string;
let here: TestContext;
let there: TestContext;
let provider: OwnedProvider;
let vm: Vm;

beforeAll(() => server.listen({ onUnhandledFrame: 'error' }));
afterAll(() => server.close());
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'golem-backup-'));
  file = join(folder, 'key.age');
  [here, there] = await Promise.all([personOf(), personOf()]);
  provider = await OwnedProvider.create('attic');
  serve(provider);
  remember(provider);
  const identity = await loadIdentity(here.context.paths.key);
  vm = await orderedBy(identity, provider, vmOf());
  provider.vms.set(identity.publicKey, [vm]);
  await here.run(list);
});
afterEach(async () => {
  server.resetHandlers();
  await Promise.all([here[Symbol.asyncDispose](), there[Symbol.asyncDispose]()]);
  await rm(folder, { recursive: true });
});

const says = (who: TestContext, ...answers: (string | undefined)[]) => {
  Object.assign(who.context, { ask: async () => answers.shift() });
};
const idOf = async ({ context }: TestContext) => (await loadIdentity(context.paths.key)).id;

// A guess at a passphrase costs seconds on a busy machine, and so does the right one.
describe('a backup', { timeout: 120_000 }, () => {
  test('is enough on another machine', async () => {
    says(here, PASSPHRASE, PASSPHRASE);
    await here.run(backup, file);
    expect(((await stat(file)).mode & 0o777).toString(8)).toBe('600');
    const text = await readFile(file, 'utf8');
    expect(text).toMatch(/^-----BEGIN AGE ENCRYPTED FILE-----\n/);
    expect(text).not.toContain('gp_');

    says(there, PASSPHRASE);
    await expect(there.run(restore, file)).resolves.toMatchObject({ vms: 1, putAside: null });
    expect(await idOf(there)).toBe(await idOf(here));
    const keys = await Promise.all([here, there].map(({ context }) => ownSshKey(context.paths)));
    expect(keys[0]?.publicKey).toBe(keys[1]?.publicKey);
    expect(await there.context.book.get('web')).toMatchObject({
      ...{ provider: provider.id, vm, sshKey: join(there.folder, 'ssh', 'id_ed25519') },
    });
    expect(await readdir(join(there.folder, 'ssh', 'known_hosts'))).toEqual([
      `${vmOf().id}.${provider.id}`,
    ]);
    expect((await there.run(list)).map(({ name, state }) => [name, state])).toEqual([
      ['web', 'running'],
    ]);
  });

  test('opens with its passphrase alone', async () => {
    says(here, PASSPHRASE, PASSPHRASE);
    await here.run(backup, file);
    says(there, `${PASSPHRASE}!`);
    await expect(there.run(restore, file)).rejects.toMatchObject({ code: 'forbidden' });
    await expect(there.run(restore, file)).rejects.toMatchObject({ code: 'needs_input' });
    expect(await readdir(there.folder)).not.toContain('key.json');
  });

  test('is not made without a passphrase, unless that is said', async () => {
    await expect(here.run(backup, file)).rejects.toMatchObject({ code: 'needs_input' });
    says(here, 'short');
    await expect(here.run(backup, file)).rejects.toMatchObject({ code: 'usage' });
    says(here, PASSPHRASE, `${PASSPHRASE}x`);
    await expect(here.run(backup, file)).rejects.toMatchObject({ code: 'usage' });
    expect(await readdir(folder)).toEqual([]);
    await here.run(backup, file, '--no-passphrase');
    await there.run(restore, file);
    expect(await idOf(there)).toBe(await idOf(here));
  });

  test('takes the passphrase from a file, and writes over nothing', async () => {
    const secret = join(folder, 'secret');
    await writeFile(secret, `${PASSPHRASE}\nand more\n`);
    await here.run(backup, file, '--passphrase-file', secret);
    const before = await readFile(file, 'utf8');
    const again = here.run(backup, file, '--passphrase-file', secret);
    await expect(again).rejects.toMatchObject({ code: 'file_exists' });
    expect(await readFile(file, 'utf8')).toBe(before);
    await there.run(restore, file, '--passphrase-file', secret);
    expect(await idOf(there)).toBe(await idOf(here));
  });

  test('takes the place of another key only with consent, and that one is kept', async () => {
    await here.run(backup, file, '--no-passphrase');
    const other = await idOf(there);
    await expect(there.run(restore, file)).rejects.toMatchObject({ code: 'needs_input' });
    expect(await idOf(there)).toBe(other);
    Object.assign(there.context, { confirm: async () => true });
    const aside = join(there.folder, 'retired', `${other}.json`);
    await expect(there.run(restore, file)).resolves.toMatchObject({ putAside: aside });
    expect((await loadIdentity(aside)).id).toBe(other);
    await expect(there.run(restore, file)).resolves.toMatchObject({ putAside: null, vms: 0 });
  });
});

describe('of what a backup has', () => {
  const content = async (change: Partial<Backup> = {}) => {
    const key = await generatePrivateJwk();
    const fixed = { createdAt: AT, discovery: 'https://discovery.test', retired: [], vms: [] };
    await writeFile(file, await backupText({ ...fixed, key, ...change }, undefined));
    return key;
  };
  const vm = (name: string, letter: string) => ({
    ...{ name, provider: provider.id, vm: vmOf({ name, id: `vm_${letter.repeat(20)}` }) },
  });

  test('one VM that cannot be restored leaves none of the others behind', async () => {
    const b = vm('b', 'b');
    await pinHostKey(there.context.paths, { ...b, vm: { ...b.vm, hostKey: OTHER_HOST_KEY } });
    await content({ vms: [vm('a', 'a'), vm('b', 'b'), vm('c', 'c')] });
    await expect(there.run(restore, file)).resolves.toMatchObject({ vms: 2, leftOut: ['b'] });
    expect((await there.context.book.all()).map(({ name }) => name)).toEqual(['a', 'c']);
    expect(there.notes.join('\n')).toContain("'b' is left out");
  });

  test('an order of which nobody knew what became of it is not given again', async () => {
    const pending = { idempotencyKey: 'order-number-1', body: '{}' };
    const operation = `op_${'o'.repeat(20)}`;
    await content({
      vms: [
        { name: 'lost', provider: provider.id, pending },
        { name: 'known', provider: provider.id, pending: { ...pending, operation } },
        { ...vm('there', 'd'), pending },
      ],
    });
    await expect(there.run(restore, file)).resolves.toMatchObject({ vms: 2, leftOut: ['lost'] });
    const kept = await there.context.book.all();
    expect(kept.map(({ name, pending: order }) => [name, order?.operation])).toEqual([
      ['known', operation],
      ['there', undefined],
    ]);
    expect(kept[1]?.pending).toBeUndefined();
  });

  test.each(['', '{}', 'of other keys'])('a rotation that is damaged: %j', async (damage) => {
    const [previous, next] = [await generatePrivateJwk(), await generatePrivateJwk()];
    const other = { version: 1, previous, next, pending: [], settled: [], startedAt: AT };
    await content({ rotation: damage === 'of other keys' ? JSON.stringify(other) : damage });
    await expect(there.run(restore, file)).rejects.toMatchObject({ code: 'invalid_request' });
    expect(await readdir(there.folder)).not.toContain('key.json');
  });
});

test('what is damaged is refused, whatever the damage', { timeout: 60_000 }, async () => {
  const content = {
    createdAt: '2026-01-01T00:00:00.000Z',
    discovery: 'https://discovery.test',
    key: await generatePrivateJwk(),
    retired: [],
    vms: [],
  };
  const sealed = await backupText(content, { passphrase: PASSPHRASE, workFactor: 2 });
  expect(await openBackup(sealed, PASSPHRASE)).toMatchObject(content);
  await fc.assert(
    fc.asyncProperty(
      fc.nat(sealed.length - 1),
      fc.constantFrom(...'AZaz09+/=-\n {"'),
      async (at, char) => {
        if (sealed[at] === char) return;
        const damaged = sealed.slice(0, at) + char + sealed.slice(at + 1);
        // White space around it is none.
        const isHarmless = damaged.trim() === sealed.trim();
        const opened = await openBackup(damaged, PASSPHRASE).catch(({ code }: GolemError) => code);
        if (isHarmless) expect(opened).toMatchObject(content);
        else expect(['forbidden', 'invalid_request']).toContain(opened);
      },
    ),
    { numRuns: 300 },
  );
  await expect(openBackup('{"kind":"golem-backup","version":2}', undefined)).rejects.toMatchObject({
    code: 'incompatible',
  });
});
