/** What is on disk: keys that nobody else may read, and entries that are never half-written. */
import { execFile } from 'node:child_process';
import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ownSshKey } from '../src/state/ssh-keys.ts';
import { sshOptions } from '../src/openssh/options.ts';
import { loadIdentity } from '../src/state/identity.ts';
import { pathsFrom } from '../src/state/paths.ts';
import { VmBook } from '../src/state/book.ts';
import { vmOf } from './network.ts';

let home: string;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'golem state-'));
});
afterEach(() => rm(home, { recursive: true }));

const modeOf = async (path: string) => ((await stat(path)).mode & 0o777).toString(8);

describe('paths', () => {
  test('are those of XDG', () => {
    const env = { XDG_DATA_HOME: '/data', XDG_STATE_HOME: '/state' };
    expect(pathsFrom(env, '/home/u')).toEqual({
      key: '/data/golem/key.json',
      ssh: '/data/golem/ssh',
      vms: '/state/golem/vms',
    });
    expect(pathsFrom({ XDG_DATA_HOME: 'relative' }, '/home/u')).toEqual({
      key: '/home/u/.local/share/golem/key.json',
      ssh: '/home/u/.local/share/golem/ssh',
      vms: '/home/u/.local/state/golem/vms',
    });
  });

  test('are all in one folder that is named', () => {
    expect(pathsFrom({ GOLEM_HOME: '/g', XDG_DATA_HOME: '/data' }, '/home/u')).toEqual({
      key: '/g/key.json',
      ssh: '/g/ssh',
      vms: '/g/vms',
    });
  });
});

describe("the requestor's key", () => {
  test('is made once, for its user alone', async () => {
    const path = join(home, 'deep', 'key.json');
    const { id } = await loadIdentity(path);
    expect((await loadIdentity(path)).id).toBe(id);
    expect(await modeOf(path)).toBe('600');
    expect(await modeOf(join(home, 'deep'))).toBe('700');
    expect(await readdir(join(home, 'deep'))).toEqual(['key.json']);
  });

  test('is one, also when many programs make it at once', async () => {
    const path = join(home, 'key.json');
    const all = await Promise.all(Array.from({ length: 10 }, () => loadIdentity(path)));
    expect(new Set(all.map(({ id }) => id)).size).toBe(1);
  });

  test('is not used when others may read it', async () => {
    const path = join(home, 'key.json');
    await loadIdentity(path);
    await chmod(path, 0o644);
    await expect(loadIdentity(path)).rejects.toMatchObject({
      code: 'forbidden',
      hint: `Run: chmod 600 ${path}`,
    });
  });

  test.each(['', '{', '{}', '{"kty":"OKP","crv":"Ed25519","x":"a","d":"b"}'])(
    'is never replaced when it is damaged: %j',
    async (text) => {
      const path = join(home, 'key.json');
      await writeFile(path, text, { mode: 0o600 });
      await expect(loadIdentity(path)).rejects.toMatchObject({ code: 'invalid_request' });
      expect(await readFile(path, 'utf8')).toBe(text);
    },
  );
});

test('the SSH key is one that OpenSSH reads, for its user alone', async () => {
  const { file, publicKey } = await ownSshKey({ ssh: join(home, 'ssh') });
  expect(await modeOf(file)).toBe('600');
  const { stdout } = await promisify(execFile)('ssh-keygen', ['-y', '-f', file]);
  expect(stdout.trim().split(' ').slice(0, 2)).toEqual(publicKey.split(' ').slice(0, 2));
  expect(await ownSshKey({ ssh: join(home, 'ssh') })).toEqual({ file, publicKey });
});

describe('the book of VMs', () => {
  const entry = (name: string) => ({ name, provider: `gp_${'a'.repeat(26)}`, sshKey: '/k' });

  test('has what was put into it, by name', async () => {
    const book = new VmBook(join(home, 'vms'));
    await book.put({ ...entry('web'), vm: vmOf() });
    await book.put(entry('db'));
    expect((await book.all()).map(({ name }) => name)).toEqual(['db', 'web']);
    expect(await book.get('web')).toEqual({ ...entry('web'), vm: vmOf() });
    expect(await modeOf(join(home, 'vms', 'web.json'))).toBe('600');
    await book.remove('web');
    await book.remove('web');
    expect(await book.get('web')).toBeUndefined();
  });

  test('loses nothing to two terminals', async () => {
    const [one, other] = [new VmBook(join(home, 'vms')), new VmBook(join(home, 'vms'))];
    const names = Array.from({ length: 20 }, (_, at) => `vm-${at}`);
    await Promise.all(names.map((name, at) => (at % 2 ? one : other).put(entry(name))));
    await Promise.all(names.map(() => other.put(entry('same'))));
    expect(await one.all()).toHaveLength(21);
  });

  test('reads no file but its own', async () => {
    await writeFile(join(home, 'secret.json'), JSON.stringify(entry('secret')));
    const book = new VmBook(join(home, 'vms'));
    expect(await book.get('../secret')).toBeUndefined();
  });

  test('says which file is damaged, and leaves it', async () => {
    const book = new VmBook(join(home, 'vms'));
    await book.put(entry('web'));
    const path = join(home, 'vms', 'web.json');
    await writeFile(path, '{');
    await expect(book.get('web')).rejects.toHaveProperty('hint', expect.stringContaining(path));
    expect(await readFile(path, 'utf8')).toBe('{');
  });
});

test('what OpenSSH is told reaches it whole, whatever is in the paths', async () => {
  const target = {
    vm: { id: vmOf().id, user: 'golem' },
    identityFile: join(home, 'my key 100%'),
    knownHostsFile: join(home, 'known hosts'),
    self: ['/opt/it is mine/node', "/opt/it's/golem.js"],
    environment: { GOLEM_HOME: home },
  };
  const config = join(home, 'config');
  const lines = sshOptions(target).map(([name, value]) => `  ${name} ${value}`);
  await writeFile(config, `Host web\n${lines.join('\n')}\n`);
  const { stdout } = await promisify(execFile)('ssh', ['-G', '-F', config, 'web']);
  const said = (name: string) =>
    stdout
      .split('\n')
      .find((line) => line.startsWith(`${name} `))
      ?.slice(name.length + 1);
  expect(said('identityfile')?.replaceAll('%%', '%')).toBe(target.identityFile);
  expect(said('userknownhostsfile')).toBe(target.knownHostsFile);
  expect(said('stricthostkeychecking')).toBe('true');
  const words = said('proxycommand')?.replaceAll('%%', '%') ?? '';
  const echoed = await promisify(execFile)('sh', ['-c', `printf '%s\\n' ${words}`]);
  expect(echoed.stdout.trim().split('\n')).toEqual([
    ...['env', `GOLEM_HOME=${home}`, ...target.self, 'vm', 'proxy', vmOf().id],
  ]);
});
