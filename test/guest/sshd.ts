/** A real sshd on the loopback interface, with a folder of its own. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

export interface SshdOptions {
  /** Holds `host`, the private host key, and `authorized`, the keys that may come in. */
  readonly dir: string;
  readonly port: number;
}

/** Resolves when it listens. */
export async function startSshd({ dir, port }: SshdOptions): Promise<ChildProcess> {
  const config = [
    `Port ${port}`,
    'ListenAddress 127.0.0.1',
    `HostKey ${join(dir, 'host')}`,
    `AuthorizedKeysFile ${join(dir, 'authorized')}`,
    'PidFile none',
    'UsePAM no',
    'StrictModes no',
    'PermitRootLogin yes',
    'Subsystem sftp internal-sftp',
    // Bursts of connections are part of what is measured.
    'MaxStartups 100',
    'MaxSessions 100',
  ];
  await writeFile(join(dir, 'sshd_config'), `${config.join('\n')}\n`);
  // Where sshd locks itself in before a login, as its package makes it at boot.
  if (process.getuid?.() === 0) await mkdir('/run/sshd', { recursive: true });
  const args = ['-D', '-f', join(dir, 'sshd_config'), '-E', join(dir, 'log')];
  const sshd = spawn('/usr/sbin/sshd', args, { stdio: 'ignore' });
  for (let tries = 0; tries < 100; tries += 1) {
    if (sshd.exitCode !== null) throw new Error(`sshd did not start, see ${join(dir, 'log')}`);
    if (await listens(port)) return sshd;
    await sleep(50);
  }
  sshd.kill();
  throw new Error(`sshd does not listen on port ${port}`);
}

async function listens(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
