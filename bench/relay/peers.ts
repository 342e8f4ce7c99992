/** What people use today, each to the same sshd: plain ssh, socat, a bastion, websockify. */
import { spawn } from 'node:child_process';
import { copyFile, mkdir } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startSshd } from '../../test/guest/sshd.ts';
import { startProcess } from '../../test/process.ts';

const wsPipe = join(import.meta.dirname, '../lib/ws-pipe.ts');
const delayed = join(import.meta.dirname, '../lib/delay.ts');
const RETRY_MILLIS = 1_000;

export interface PeersOptions {
  readonly dir: string;
  /** Of the guest's sshd. */
  readonly port: number;
  /** Folder of that sshd, whose keys all others use as well. */
  readonly guest: string;
  readonly key: string;
  /** Ports from here on are free. */
  readonly freePort: number;
  /** A bastion is put behind a line of each of these delays, in milliseconds each way. */
  readonly delays: readonly number[];
}

export interface Peers extends AsyncDisposable {
  /** For an ssh_config. */
  readonly hosts: readonly string[];
}

export async function startPeers(options: PeersOptions): Promise<Peers> {
  const { dir, port, guest, key, freePort } = options;
  await mkdir(dir, { recursive: true, mode: 0o700 });
  await using cleanup = new AsyncDisposableStack();
  const daemon = (program: string, ...args: string[]) => {
    const child = spawn(program, args, { stdio: 'ignore' });
    cleanup.defer(() => void child.kill());
  };
  const [hop, last, websocket, bastion, forwarded] = [0, 1, 2, 3, 4].map((n) => freePort + n);
  const host = (name: string, ...lines: readonly string[]) =>
    [
      `Host ${name}`,
      ...[`User ${userInfo().username}`, `IdentityFile ${key}`, 'IdentitiesOnly yes'],
      ...['StrictHostKeyChecking no', 'UserKnownHostsFile /dev/null', 'LogLevel ERROR'],
      ...lines,
    ].join('\n  ');
  const at = (to: number | undefined) => ['HostName 127.0.0.1', `Port ${to}`];

  daemon('socat', `TCP-LISTEN:${hop},fork,reuseaddr,nodelay`, `TCP:127.0.0.1:${last},nodelay`);
  daemon('socat', `TCP-LISTEN:${last},fork,reuseaddr,nodelay`, `TCP:127.0.0.1:${port},nodelay`);
  daemon('websockify', String(websocket), `127.0.0.1:${port}`);

  const bastionDir = join(dir, 'bastion');
  await mkdir(bastionDir, { recursive: true, mode: 0o700 });
  for (const file of ['host', 'authorized']) {
    await copyFile(join(guest, file), join(bastionDir, file));
  }
  const sshd = await startSshd({ dir: bastionDir, port: bastion ?? 0 });
  cleanup.defer(() => void sshd.kill());
  /** From the provider's side to the bastion, as a provider behind a NAT has to. */
  const reverse = (through: number, listens: number) => {
    const options = ['BatchMode=yes', 'StrictHostKeyChecking=no', 'UserKnownHostsFile=/dev/null'];
    daemon(
      'ssh',
      ...options.flatMap((option) => ['-o', option]),
      ...['-i', key, '-p', String(through), '-N', '-R', `127.0.0.1:${listens}:127.0.0.1:${port}`],
      '127.0.0.1',
    );
  };
  reverse(bastion ?? 0, forwarded ?? 0);
  const hosts = [
    host('direct', ...at(port)),
    host('socat', `ProxyCommand socat STDIO TCP:127.0.0.1:${hop},nodelay`),
    host('websockify', `ProxyCommand ${process.execPath} ${wsPipe} ws://127.0.0.1:${websocket}`),
    host('jump', ...at(bastion)),
    host('bastion', ...at(forwarded), 'ProxyJump jump'),
  ];
  for (const [n, millis] of options.delays.entries()) {
    const line = await startProcess<{ port: number }>({
      ...{ name: 'delay', command: [process.execPath, delayed, String(millis), String(bastion)] },
      ...{ env: process.env, log: join(dir, 'delay.log'), readyMillis: 10_000 },
    });
    cleanup.defer(() => line.end('SIGTERM'));
    const listens = freePort + 10 + n;
    reverse(line.ready.port, listens);
    hosts.push(
      host(`jump-${millis}`, ...at(line.ready.port)),
      host(`bastion-${millis}`, ...at(listens), `ProxyJump jump-${millis}`),
    );
  }
  // Reverse tunnels say nothing when they are there; who uses them fails loudly if they are not.
  await sleep(RETRY_MILLIS + 6 * Math.max(0, ...options.delays) * 2);
  const kept = cleanup.move();
  return { hosts, [Symbol.asyncDispose]: () => kept.disposeAsync() };
}
