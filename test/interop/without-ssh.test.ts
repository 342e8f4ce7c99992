/** A machine without OpenSSH: what `golem` does by itself, with a real guest at the other end of the relay. */
import { randomBytes } from 'node:crypto';
import { spawn } from 'node:child_process';
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { once } from 'node:events';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { run, type Finished } from '../golem.ts';
import { Terminal } from '../terminal.ts';
import { greeting, rentInterop, type Rented } from './guest.ts';
import { printTable } from './table.ts';

const LAUNCHER = join(import.meta.dirname, '../../cli/bin/golem.js');

let rented: Rented;
let env: Record<string, string>;
beforeAll(async () => {
  rented = await rentInterop();
  // All that there is on this machine.
  const bin = join(rented.dir, 'bin');
  await mkdir(bin);
  for (const name of ['env', 'sh']) await symlink(join('/usr/bin', name), join(bin, name));
  env = { ...rented.env, PATH: bin, SSH_AUTH_SOCK: '' };
});
afterAll(() => rented?.[Symbol.asyncDispose]());
printTable('golem without OpenSSH, with a guest of QEMU, through the relay');

function golem(words: readonly string[], input: string | Buffer = ''): Promise<Finished> {
  return run([process.execPath, LAUNCHER, ...words], { env, input, cwd: rented.dir });
}
const ok = { status: 0, stderr: '' };
const file = (name: string) => join(rented.dir, name);

test('exec: words, streams and exit code', async () => {
  const script = 'cat; echo "$1" >&2; exit 5';
  const finished = await golem(['vm', 'exec', 'web', '--', 'sh', '-c', script, '-', 'a  b'], 'in');
  expect(finished).toEqual({ status: 5, stdout: 'in', stderr: 'a  b\n' });
});

test('exec: a signal is 128 and its number', async () => {
  expect((await golem(['vm', 'exec', 'web', '--', 'sh', '-c', 'kill -9 $$'])).status).toBe(137);
});

test('exec: -t has a terminal there', async () => {
  const { stdout } = await golem(['vm', 'exec', '-t', 'web', '--', 'tty']);
  expect(stdout).toMatch(/^\/dev\/pts\/\d+\r\n$/);
});

test('exec: variables and a folder', async () => {
  const words = ['vm', 'exec', '-e', 'GREETING=it is $5', '-w', '/etc', 'web', '--'];
  const { stdout } = await golem([...words, 'sh', '-c', 'pwd; echo $GREETING']);
  expect(stdout).toBe('/etc\nit is $5\n');
});

test('cp: 8 MiB both ways', async () => {
  const bytes = randomBytes(8 * 1024 * 1024);
  await writeFile(file('big'), bytes);
  expect(await golem(['vm', 'cp', 'big', 'web:big'])).toMatchObject(ok);
  expect(await golem(['vm', 'cp', 'web:big', 'back'])).toMatchObject(ok);
  expect((await readFile(file('back'))).equals(bytes)).toBe(true);
});

test('cp: a folder with links, and -', async () => {
  await mkdir(file('tree/a'), { recursive: true });
  await writeFile(file('tree/a/x'), 'x\n');
  await symlink('a/x', file('tree/link'));
  expect(await golem(['vm', 'cp', '-r', 'tree', 'web:tree'])).toMatchObject(ok);
  expect(await golem(['vm', 'cp', '-r', 'web:tree', 'tree2'])).toMatchObject(ok);
  expect(await readFile(file('tree2/link'), 'utf8')).toBe('x\n');
  expect(await golem(['vm', 'cp', '-', 'web:piped'], 'from here')).toMatchObject(ok);
  expect(await golem(['vm', 'cp', 'web:piped', '-'])).toMatchObject({
    status: 0,
    stdout: 'from here',
  });
});

test('forward: a port leads there, and Ctrl-C ends it', async () => {
  const words = ['vm', 'forward', 'web', '0:22', '-o', 'json'];
  const child = spawn(process.execPath, [LAUNCHER, ...words], { env: { ...process.env, ...env } });
  const ended = once(child, 'exit');
  const said = once(createInterface(child.stdout), 'line') as Promise<[string]>;
  const [line] = await Promise.race([said, ended.then(() => [''])]);
  const [{ port }] = JSON.parse(line ?? '') as [{ port: number }];
  expect(await greeting(port)).toMatch(/^SSH-2\.0-/);
  child.kill('SIGINT');
  expect(await ended).toEqual([0, null]);
});

test('proxy: NAME PORT is that port of the VM', async () => {
  const { stdout } = await golem(['vm', 'proxy', 'web', '22']);
  expect(stdout).toMatch(/^SSH-2\.0-/);
  // A port on which nobody listens.
  expect((await golem(['vm', 'proxy', 'web', '9'])).status).toBe(255);
});

test('ssh: a command, by ssh2 without being asked to', async () => {
  const finished = await golem(['vm', 'ssh', 'web', '--', 'cat; hostname; exit 3'], 'in ');
  expect(finished).toEqual({ status: 3, stdout: 'in web\n', stderr: '' });
});

test('ssh: a shell', async () => {
  const { stdout } = await golem(['vm', 'ssh', 'web'], 'echo $((6 * 7))\n');
  expect(stdout).toBe('42\n');
});

test('ssh: a terminal, its size as it changes, and Ctrl-C there', async () => {
  await using terminal = await Terminal.open({ rows: 24, columns: 80, env });
  await terminal.type(`exec ${process.execPath} ${LAUNCHER} vm ssh web`);
  await terminal.shows(/#$/);
  await terminal.type('stty size; sleep 1000');
  await terminal.shows(/^24 80$/m);
  await terminal.resize(100, 30);
  await terminal.key('C-c');
  await terminal.shows(/\^C\s+[^\n]*#$/);
  await terminal.type('stty size');
  expect(await terminal.shows(/^30 100$/m)).toContain('24 80');
});

test('cp: how far it is, on a terminal', async () => {
  await writeFile(file('large'), randomBytes(4 * 1024 * 1024));
  await using terminal = await Terminal.open({ rows: 24, columns: 80, env });
  await terminal.type(`cd ${rented.dir}; ${process.execPath} ${LAUNCHER} vm cp large web:`);
  await terminal.shows(/^large {2}\d+% {2}/m);
  expect(await terminal.shows(/^large {2}100% /m)).toContain('4.0 MiB of 4.0 MiB');
});

test('ssh: -R says that it needs OpenSSH', async () => {
  const finished = await golem(['vm', 'ssh', '-R', '1:localhost:2', 'web']);
  expect(finished).toMatchObject({ status: 1, stderr: expect.stringContaining('needs OpenSSH') });
});
