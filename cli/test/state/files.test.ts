/** What is on disk: keys that nobody else may read, and entries that are never half-written. */
import { execFile } from 'node:child_process';
import {
  chmod,
  copyFile,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { generateOpenSshKeyPair } from '@vm-on-golem/shared/openssh';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ownSshKey } from '../../src/state/ssh-keys.ts';
import { sshOptions } from '../../src/openssh/options.ts';
import { loadIdentity } from '../../src/state/identity.ts';
import { pathsFrom } from '../../src/state/paths.ts';
import { vmOf } from '../network.ts';

const PROVIDER = `gp_${'p'.repeat(26)}`;
let home: string;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'golem state-'));
});
afterEach(() => rm(home, { recursive: true }));

const modeOf = async (path: string) => ((await stat(path)).mode & 0o777).toString(8);

describe('paths', () => {
  test('are those of XDG', () => {
    const env = { XDG_DATA_HOME: '/data', XDG_STATE_HOME: '/state', XDG_CONFIG_HOME: '/config' };
    expect(pathsFrom(env, { home: '/home/u' })).toEqual({
      config: '/config/golem/config.json',
      key: '/data/golem/key.json',
      rotation: '/data/golem/rotation.json',
      retired: '/data/golem/retired',
      ssh: '/data/golem/ssh',
      vms: '/state/golem/vms',
    });
    expect(pathsFrom({ XDG_DATA_HOME: 'relative' }, { home: '/home/u' })).toMatchObject({
      config: '/home/u/.config/golem/config.json',
      key: '/home/u/.local/share/golem/key.json',
      ssh: '/home/u/.local/share/golem/ssh',
      vms: '/home/u/.local/state/golem/vms',
    });
  });

  test('are all in one folder that is named', () => {
    expect(pathsFrom({ GOLEM_HOME: '/g', XDG_DATA_HOME: '/data' }, { home: '/home/u' })).toEqual({
      config: '/g/config.json',
      key: '/g/key.json',
      rotation: '/g/rotation.json',
      retired: '/g/retired',
      ssh: '/g/ssh',
      vms: '/g/vms',
    });
  });

  test('of a context are its own, and keys only where it has some', () => {
    const env = { GOLEM_HOME: '/g' };
    expect(pathsFrom(env, { context: 'work' })).toMatchObject({
      ...{ config: '/g/config.json', key: '/g/key.json', ssh: '/g/ssh', vms: '/g/vms/work' },
    });
    expect(pathsFrom(env, { context: 'work', hasOwnKey: true })).toMatchObject({
      ...{ config: '/g/config.json', key: '/g/contexts/work/key.json' },
      ...{ ssh: '/g/contexts/work/ssh', vms: '/g/vms/work' },
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

describe('the SSH key', () => {
  const pathsIn = (folder: string) => pathsFrom({ GOLEM_HOME: folder });

  test('is one that OpenSSH reads, for its user alone', async () => {
    const { file, publicKey } = await ownSshKey(pathsIn(home));
    expect(await modeOf(file)).toBe('600');
    const { stdout } = await promisify(execFile)('ssh-keygen', ['-y', '-f', file]);
    expect(stdout.trim().split(' ').slice(0, 2)).toEqual(publicKey.split(' ').slice(0, 2));
    expect(await ownSshKey(pathsIn(home))).toEqual({ file, publicKey });
  });

  test("is the same wherever the requestor's key is", async () => {
    const here = await ownSshKey(pathsIn(join(home, 'here')));
    await mkdir(join(home, 'there'));
    await copyFile(join(home, 'here', 'key.json'), join(home, 'there', 'key.json'));
    const there = await ownSshKey(pathsIn(join(home, 'there')));
    expect(there.publicKey).toBe(here.publicKey);
    const other = await ownSshKey(pathsIn(join(home, 'other')));
    expect(other.publicKey).not.toBe(here.publicKey);
  });

  test('that was there before stays', async () => {
    const { privateKey, publicKey } = await generateOpenSshKeyPair();
    await mkdir(join(home, 'ssh'));
    await writeFile(join(home, 'ssh', 'id_ed25519'), privateKey, { mode: 0o600 });
    expect((await ownSshKey(pathsIn(home))).publicKey).toBe(publicKey);
  });
});

test('what OpenSSH is told reaches it whole, whatever is in the paths', async () => {
  const target = {
    ...{ provider: PROVIDER, vm: { id: vmOf().id, user: 'golem' } },
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
    ...['env', `GOLEM_HOME=${home}`, ...target.self, 'vm', 'proxy', `${PROVIDER}/${vmOf().id}`],
  ]);
});
