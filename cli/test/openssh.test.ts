/** OpenSSH's own files: what is written for it, with whose consent, and what ssh reads of it. */
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { lstat, mkdir, readFile, readdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { sshConfig } from '../src/commands/vm/ssh-config.ts';
import { refreshHosts } from '../src/commands/work/hosts.ts';
import { ownConfigFile, removeHosts, writeHosts } from '../src/openssh/installed.ts';
import { changeUserFile } from '../src/openssh/user-file.ts';
import { contextOf, type TestContext } from './context.ts';
import { vmOf } from './network.ts';

const PROVIDER = `gp_${'p'.repeat(26)}`;
const run = promisify(execFile);
const OWN = 'Host *\n  User me\n';

let here: TestContext;
let own: string;
let user: string;
let agrees: boolean;
beforeEach(async () => {
  here = await contextOf();
  own = ownConfigFile(here.context.paths);
  user = join(here.folder, '.ssh/config');
  agrees = true;
  Object.assign(here.context, {
    env: { HOME: here.folder },
    confirm: async () => agrees,
  });
  await mkdir(join(here.folder, '.ssh'));
  await put('web', 'a');
});
afterEach(() => here[Symbol.asyncDispose]());

async function put(name: string, letter: string): Promise<void> {
  const vm = vmOf({ id: `vm_${letter.repeat(20)}`, name });
  const provider = PROVIDER;
  await here.context.book.put({ name, provider, vm, sshKey: '/keys/it is mine' });
}

/** What ssh makes of it, by option in small letters. */
async function read(host: string, file: string): Promise<Map<string, string>> {
  const { stdout } = await run('ssh', ['-G', '-F', file, host]);
  return new Map(
    stdout.split('\n').map((line): [string, string] => {
      const [name = '', ...words] = line.split(' ');
      return [name, words.join(' ')];
    }),
  );
}

test('all VMs are in a file that the user has included, and ssh knows them', async () => {
  await writeFile(user, OWN);
  await put('db', 'b');
  await here.run(sshConfig, '--install');
  expect(await readFile(user, 'utf8')).toMatch(
    /^#.*--remove.*\nInclude \S+\/openssh\/\*\.conf\nHost \*\n/,
  );
  for (const [name, letter] of [
    ['web', 'a'],
    ['db', 'b'],
  ] as const) {
    const options = await read(name, user);
    expect(options.get('user')).toBe('golem');
    expect(options.get('hostkeyalias')).toBe(`vm_${letter.repeat(20)}.${PROVIDER}`);
    expect(options.get('stricthostkeychecking')).toBe('true');
    expect(options.get('identityfile')).toBe('/keys/it is mine');
    expect(options.get('proxycommand')).toContain(`vm proxy ${PROVIDER}/vm_${letter}`);
  }
  // Hosts that are not ours are left to the user.
  expect((await read('elsewhere', user)).get('user')).toBe('me');
  expect((await lstat(user)).mode & 0o777).toBe(0o600);
});

test('it is kept up to date as VMs come and go, and only where it was asked for', async () => {
  await refreshHosts(here.context);
  await expect(readFile(own)).rejects.toMatchObject({ code: 'ENOENT' });
  await here.run(sshConfig, '--install');
  await put('db', 'b');
  await here.context.book.remove('web');
  await refreshHosts(here.context);
  const text = await readFile(own, 'utf8');
  expect(text).toContain('Host db\n');
  expect(text).not.toContain('Host web\n');
});

test('nothing is changed without consent', async () => {
  await writeFile(user, OWN);
  agrees = false;
  await expect(here.run(sshConfig, '--install')).rejects.toMatchObject({ code: 'needs_input' });
  expect(await readFile(user, 'utf8')).toBe(OWN);
  await expect(readFile(own)).rejects.toMatchObject({ code: 'ENOENT' });
});

test('it is undone without a trace, twice, and a link stays a link', async () => {
  const dotfiles = join(here.folder, 'dotfiles');
  await writeFile(dotfiles, OWN);
  await symlink(dotfiles, user);
  await here.run(sshConfig, '--install');
  await here.run(sshConfig, '--install');
  expect((await readFile(dotfiles, 'utf8')).match(/Include/g)).toHaveLength(1);
  await here.run(sshConfig, '--remove');
  await here.run(sshConfig, '--remove');
  expect((await lstat(user)).isSymbolicLink()).toBe(true);
  expect(await readFile(dotfiles, 'utf8')).toBe(OWN);
  await expect(readFile(own)).rejects.toMatchObject({ code: 'ENOENT' });
});

test('without a name all VMs are printed, with one that one', async () => {
  await put('db', 'b');
  await expect(here.run(sshConfig)).resolves.toMatchObject([{ host: 'db' }, { host: 'web' }]);
  await expect(here.run(sshConfig, 'web')).resolves.toMatchObject({ host: 'web' });
  await expect(here.run(sshConfig, 'web', '--install')).rejects.toMatchObject({ code: 'usage' });
});

test('what was being written when a program was killed is not read', async () => {
  await here.run(sshConfig, '--install');
  await writeFile(`${own}.0123456789ab.new`, 'Host gone\n  User stale\n');
  expect((await read('web', user)).get('user')).toBe('golem');
  expect((await read('gone', user)).get('user')).not.toBe('stale');
});

test('a name means one VM, whichever contexts have one of it', async () => {
  await here.run(sshConfig, '--install');
  const work = ownConfigFile(here.context.paths, 'a-work');
  const hosts = ['web', 'db'].map((host) => ({ host, options: { HostKeyAlias: `vm_of_${host}` } }));
  const aliasOf = async (host: string) => (await read(host, user)).get('hostkeyalias');
  await writeHosts(work, hosts);
  // OpenSSH takes the first value that it finds, and that file is read first.
  expect(await aliasOf('web')).toBe(`vm_${'a'.repeat(20)}.${PROVIDER}`);
  expect(await aliasOf('web.a-work')).toBe('vm_of_web');
  expect([await aliasOf('db'), await aliasOf('db.a-work')]).toEqual(['vm_of_db', 'vm_of_db']);
  // What one context has first, no other takes from it.
  await put('db', 'b');
  await refreshHosts(here.context);
  expect(await aliasOf('db')).toBe('vm_of_db');
  expect(await aliasOf('db.default')).toBe(`vm_${'b'.repeat(20)}.${PROVIDER}`);
  await removeHosts(own);
  await writeHosts(work, hosts);
  expect([await aliasOf('web'), await aliasOf('web.a-work')]).toEqual(['vm_of_web', 'vm_of_web']);
});

test('the file of its user keeps each of its bytes, and is there as it was', async () => {
  // Latin-1, a byte order mark, and ends of lines of another system.
  const bytes = Buffer.from('\xef\xbb\xbf# Andr\xe9\r\nHost *\n  User me\xff', 'latin1');
  await writeFile(user, bytes);
  await here.run(sshConfig, '--install');
  const after = await readFile(user);
  expect(after.subarray(-bytes.length).equals(bytes)).toBe(true);
  await here.run(sshConfig, '--remove');
  expect((await readFile(user)).equals(bytes)).toBe(true);
  await writeFile(user, OWN);
  await here.run(sshConfig, '--install');
  expect((await readFile(join(own, '../config.before'))).equals(bytes)).toBe(true);
});

test('a folder with letters of its own is included, and found again', async () => {
  await using there = await contextOf();
  const config = join(there.folder, 'Andr\u00e9 \u00e0/config.json');
  const paths = { ...there.context.paths, config };
  Object.assign(there.context, { ...here.context, paths });
  await there.run(sshConfig, '--install');
  await there.run(sshConfig, '--install');
  expect(
    (await readFile(user, 'utf8')).match(/Include "\S+\/Andr\u00e9 \u00e0\/openssh/g),
  ).toHaveLength(1);
  expect((await read('web', user)).get('user')).toBe('golem');
  await there.run(sshConfig, '--remove');
  expect(await readFile(user, 'utf8')).toBe('');
});

test('what somebody else writes into it meanwhile is not lost', async () => {
  await writeFile(user, OWN);
  const copy = join(here.folder, 'copy');
  let looks = 0;
  await changeUserFile(user, copy, (text) => {
    looks += 1;
    if (looks === 1) writeFileSync(user, `${OWN}# theirs\n`);
    return `# ours\n${text}`;
  });
  expect(await readFile(user, 'utf8')).toBe(`# ours\n${OWN}# theirs\n`);
  expect(await readdir(join(user, '..'))).toEqual(['config']);
  const restless = changeUserFile(user, copy, (text) => {
    looks += 1;
    writeFileSync(user, `${looks}`);
    return `# ours\n${text}`;
  });
  await expect(restless).rejects.toMatchObject({ code: 'wrong_state' });
  expect(await readFile(user, 'utf8')).toBe(`${looks}`);
});
