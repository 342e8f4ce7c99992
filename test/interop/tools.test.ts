/** The programs that people have, as Debian has them, with a real guest at the other end of the relay. */
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { run } from '../golem.ts';
import { greeting, rentInterop, type Rented } from './guest.ts';
import { printTable } from './table.ts';

const LAUNCHER = join(import.meta.dirname, '../../cli/bin/golem.js');

let rented: Rented;
beforeAll(async () => {
  rented = await rentInterop();
});
afterAll(() => rented?.[Symbol.asyncDispose]());
printTable('Programs of Debian with a guest of QEMU, through the relay');

const digest = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');
const ok = { status: 0 };
const ssh = (...words: string[]) => rented.tool('ssh', '-F', rented.sshConfig, ...words);
const file = (name: string) => join(rented.dir, name);

test('ssh: a command, its output and its exit code', async () => {
  const finished = await ssh('web', 'uname -s; echo oops >&2; exit 7');
  expect(finished).toEqual({ status: 7, stdout: 'Linux\n', stderr: 'oops\n' });
});

test('ssh: standard input, byte for byte', async () => {
  const input = randomBytes(1_000_000);
  const { env, dir, sshConfig } = rented;
  const { stdout } = await run(['ssh', '-F', sshConfig, 'web', 'sha256sum'], {
    env,
    cwd: dir,
    input,
  });
  expect(stdout.split(' ')[0]).toBe(digest(input));
});

test('ssh: -tt has a terminal there', async () => {
  expect((await ssh('-tt', 'web', 'tty')).stdout).toMatch(/^\/dev\/pts\/\d+\r\n$/);
});

test('ssh: -L leads to a port of the guest', async () => {
  rented.start('ssh', '-F', rented.sshConfig, '-N', '-L', '17022:localhost:22', 'web');
  expect(await greeting(17_022)).toMatch(/^SSH-2\.0-/);
});

test('ssh: -R leads from the guest to a port here', async () => {
  const server = createServer((socket) => socket.end('hello from here\n'));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const script = 'nc 127.0.0.1 17080 < /dev/null';
  const finished = await ssh('-R', `17080:127.0.0.1:${port}`, 'web', script);
  server.close();
  expect(finished).toMatchObject({ status: 0, stdout: 'hello from here\n' });
});

test('ssh: -D is a SOCKS proxy whose connections the guest makes', async () => {
  rented.start('ssh', '-F', rented.sshConfig, '-N', '-D', '17081', 'web');
  // Version 5, one method: none. It chooses that one.
  expect(await greeting(17_081, Buffer.from([5, 1, 0]))).toBe('\u0005\0');
  const socket = connect(17_081, '127.0.0.1');
  socket.write(Buffer.from([5, 1, 0]));
  await once(socket, 'data');
  // Connect to an IPv4 address: 127.0.0.1, port 22.
  socket.write(Buffer.from([5, 1, 0, 1, 127, 0, 0, 1, 0, 22]));
  let heard = '';
  for await (const bytes of socket.setEncoding('latin1')) {
    heard += String(bytes);
    if (heard.includes('SSH-2.0-')) break;
  }
  expect(heard.slice(0, 2)).toBe('\u0005\0');
});

test('ssh: ControlMaster carries a second session', async () => {
  const shared = ['-o', `ControlPath=${file('%C')}`];
  const first = await ssh(
    ...shared,
    '-o',
    'ControlMaster=auto',
    '-o',
    'ControlPersist=30',
    'web',
    'true',
  );
  expect(first).toMatchObject(ok);
  expect((await ssh(...shared, '-O', 'check', 'web')).stderr).toContain('Master running');
  // There is no other way than the first one.
  const second = await ssh(...shared, '-o', 'ProxyCommand=false', 'web', 'echo shared');
  expect(second).toMatchObject({ status: 0, stdout: 'shared\n' });
  expect((await ssh(...shared, '-O', 'exit', 'web')).stderr).toContain('Exit request sent');
});

test('ssh: a host key that changed is refused', async () => {
  const alias = `${rented.vmId}.${rented.stack.providers[0]?.id}`;
  const known = join(rented.dir, 'golem/ssh/known_hosts', alias);
  const before = await readFile(known, 'utf8');
  const other = 'AAAAC3NzaC1lZDI1NTE5AAAAIDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAw';
  await writeFile(known, `${alias} ssh-ed25519 ${other}\n`);
  const refused = await rented.golem('vm', 'ssh', 'web', '--', 'true');
  const builtin = await rented.golem('vm', 'exec', 'web', '--', 'true');
  await writeFile(known, before);
  expect(refused).toMatchObject({ status: 255, stderr: expect.stringMatching(/HAS CHANGED/) });
  expect(builtin).toMatchObject({
    status: 255,
    stderr: expect.stringMatching(/HOST KEY.*SHA256:/),
  });
  expect(await rented.golem('vm', 'exec', 'web', '--', 'true')).toMatchObject(ok);
});

test('scp: a file and a folder, both ways', async () => {
  const bytes = randomBytes(8 * 1024 * 1024);
  await mkdir(file('scp/in'), { recursive: true });
  await writeFile(file('scp/in/big'), bytes);
  const scp = (...words: string[]) => rented.tool('scp', '-q', '-F', rented.sshConfig, ...words);
  expect(await scp('-r', 'scp', 'web:scp')).toMatchObject({ ...ok, stderr: '' });
  expect(await scp('-r', 'web:scp', 'back')).toMatchObject({ ...ok, stderr: '' });
  expect(digest(await readFile(file('back/in/big')))).toBe(digest(bytes));
});

test('sftp: put, get and ls in a batch', async () => {
  await writeFile(file('hello'), 'hello\n');
  await writeFile(file('batch'), 'put hello\nrename hello greeting\nls -1\nget greeting\n');
  const { status, stdout } = await rented.tool(
    'sftp',
    '-F',
    rented.sshConfig,
    '-b',
    'batch',
    'web',
  );
  expect(status).toBe(0);
  expect(stdout).toMatch(/^greeting *$/m);
  expect(await readFile(file('greeting'), 'utf8')).toBe('hello\n');
});

test('rsync: -a --delete both ways, and the second time nothing', async () => {
  await mkdir(file('site/css'), { recursive: true });
  await writeFile(file('site/index.html'), '<p>hello\n');
  await writeFile(file('site/css/a.css'), 'p { color: red }\n');
  const rsync = (...words: string[]) =>
    rented.tool('rsync', '-a', '--delete', '-i', '-e', `ssh -F ${rented.sshConfig}`, ...words);
  const first = await rsync('site/', 'web:site/');
  expect(first).toMatchObject(ok);
  expect(first.stdout).toContain('css/a.css');
  expect(await rsync('site/', 'web:site/')).toMatchObject({ status: 0, stdout: '' });
  expect(await rsync('web:site/', 'copy/')).toMatchObject(ok);
  expect(await readFile(file('copy/index.html'), 'utf8')).toBe('<p>hello\n');
});

test('git: clone, commit, push and fetch', async () => {
  const git = (...words: string[]) =>
    rented.tool(
      'env',
      `GIT_SSH_COMMAND=ssh -F ${rented.sshConfig}`,
      'GIT_CONFIG_GLOBAL=/dev/null',
      'git',
      ...[
        '-c',
        'user.name=Alice',
        '-c',
        'user.email=alice@localhost',
        '-c',
        'init.defaultBranch=main',
      ],
      ...words,
    );
  expect(await ssh('web', 'git -c init.defaultBranch=main init -q --bare shop.git')).toMatchObject(
    ok,
  );
  expect(await git('clone', '-q', 'web:shop.git')).toMatchObject(ok);
  await writeFile(file('shop/readme'), 'a shop\n');
  expect(await git('-C', 'shop', 'add', '.')).toMatchObject(ok);
  expect(await git('-C', 'shop', 'commit', '-qm', 'first')).toMatchObject(ok);
  expect(await git('-C', 'shop', 'push', '-q', 'origin', 'HEAD:main')).toMatchObject(ok);
  expect(await git('clone', '-q', '-b', 'main', 'web:shop.git', 'again')).toMatchObject(ok);
  expect(await readFile(file('again/readme'), 'utf8')).toBe('a shop\n');
});

test('ansible: -m ping', async () => {
  await writeFile(file('inventory'), 'web\n');
  const config = ['[defaults]', 'inventory = inventory', 'local_tmp = ansible', '[ssh_connection]'];
  config.push(`ssh_common_args = -F ${rented.sshConfig}`, `control_path_dir = ${file('cp')}`);
  await writeFile(file('ansible.cfg'), `${config.join('\n')}\n`);
  const { stdout, stderr } = await rented.tool('ansible', 'web', '-m', 'ping');
  expect(stderr + stdout).toMatch(/web \| SUCCESS[\s\S]*"ping": "pong"/);
});

// With a home of its own, where nobody can be asked.
const golem = (...words: string[]) => rented.tool(process.execPath, LAUNCHER, 'vm', ...words);
const hosts = async () =>
  (await readFile(file('golem/openssh/default.conf'), 'utf8')).match(/^Host .*/gm);

test('golem: ssh-config --install, with consent, and ssh knows the VM', async () => {
  expect(await golem('ssh-config', '--install')).toMatchObject({ status: 2 });
  expect(await golem('ssh-config', '--install', '--yes')).toMatchObject(ok);
  const found = await rented.tool('ssh', '-F', file('.ssh/config'), 'web', 'hostname');
  expect(found).toMatchObject({ status: 0, stdout: 'web\n' });
  expect(await hosts()).toEqual(['Host web']);
});

test('golem: vm ssh of a stopped VM says so, and nothing else', async () => {
  expect(await rented.golem('vm', 'stop', 'web')).toMatchObject(ok);
  const { status, stderr } = await rented.golem('vm', 'ssh', 'web', '--', 'true');
  expect(status).toBe(255);
  expect(stderr).toContain('stopped');
  expect(stderr).not.toMatch(/kex_exchange|UNKNOWN/);
});

test('golem: ssh-config forgets a VM that is gone, and --remove all of it', async () => {
  expect(await golem('destroy', 'web', '--yes')).toMatchObject(ok);
  expect(await hosts()).toBeNull();
  expect(await golem('ssh-config', '--remove')).toMatchObject(ok);
  expect(await readFile(file('.ssh/config'), 'utf8')).toBe('');
});
