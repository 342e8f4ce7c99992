/** OpenSSH's own files: what is written for it, with whose consent, and what ssh reads of it. */
import { execFile } from 'node:child_process';
import { lstat, mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { sshConfig } from '../src/commands/vm/ssh-config.ts';
import { refreshHosts } from '../src/commands/work/hosts.ts';
import { contextOf, type TestContext } from './context.ts';
import { vmOf } from './network.ts';

const run = promisify(execFile);
const OWN = 'Host *\n  User me\n';

let here: TestContext;
let own: string;
let user: string;
let agrees: boolean;
beforeEach(async () => {
  here = await contextOf();
  own = join(here.folder, 'ssh_config');
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
  const provider = `gp_${'p'.repeat(26)}`;
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
    /^#.*--remove.*\nInclude \S+\/ssh_config\*\nHost \*\n/,
  );
  for (const [name, letter] of [
    ['web', 'a'],
    ['db', 'b'],
  ] as const) {
    const options = await read(name, user);
    expect(options.get('user')).toBe('golem');
    expect(options.get('hostkeyalias')).toBe(`vm_${letter.repeat(20)}`);
    expect(options.get('stricthostkeychecking')).toBe('true');
    expect(options.get('identityfile')).toBe('/keys/it is mine');
    expect(options.get('proxycommand')).toContain(`vm proxy vm_${letter}`);
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
