/** OpenSSH's own client at the far end of a driver's `dial`: what the conformance suite logs in with. */
import { execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { promisify } from 'node:util';
import type { Driver, GuestSpec } from '../driver.ts';
import { DialServer } from './dial-server.ts';

const run = promisify(execFile);

interface Login {
  readonly exitCode: number;
  readonly stdout: Buffer;
  readonly stderr: string;
}

/** OpenSSH's own client, with a key pair of its own and no settings of whoever runs the tests. */
export class SshClient {
  readonly publicKey: string;
  readonly #folder: string;

  private constructor(folder: string, publicKey: string) {
    this.#folder = folder;
    this.publicKey = publicKey;
  }

  static async create(folder: string): Promise<SshClient> {
    const key = join(folder, 'key');
    await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', '', '-f', key]);
    return new SshClient(folder, (await readFile(`${key}.pub`, 'utf8')).trim());
  }

  async run(
    driver: Driver,
    spec: Pick<GuestSpec, 'vmId' | 'hostKey' | 'image'>,
    command: string,
    stdin?: Buffer,
  ): Promise<Login> {
    const { vmId, hostKey, image } = spec;
    const knownHosts = join(this.#folder, `${randomBytes(6).toString('hex')}.hosts`);
    await writeFile(knownHosts, `${vmId} ${hostKey}\n`);
    await using server = await DialServer.open({
      ...{ host: '127.0.0.1', port: 0 },
      dial: () => driver.dial(vmId, new AbortController().signal),
    });
    const options = [
      ...['StrictHostKeyChecking=yes', 'IdentitiesOnly=yes', 'BatchMode=yes', 'LogLevel=ERROR'],
      ...[`UserKnownHostsFile=${knownHosts}`, 'GlobalKnownHostsFile=none'],
      ...[`HostKeyAlias=${vmId}`, 'HostKeyAlgorithms=ssh-ed25519'],
      // Debian's own configuration sends the locale.
      'SetEnv=LANG=C.UTF-8',
    ].flatMap((option) => ['-o', option]);
    const client = spawn(
      'ssh',
      [
        ...['-F', 'none', '-T', '-i', join(this.#folder, 'key'), ...options],
        ...['-p', String(server.address.port), `${image.user}@127.0.0.1`, command],
      ],
      { stdio: 'pipe' },
    );
    // A client that is refused does not read what it was to send.
    client.stdin.on('error', () => undefined).end(stdin ?? '');
    const exit = once(client, 'close') as Promise<[number | null]>;
    const [stdout, stderr] = await Promise.all([buffer(client.stdout), buffer(client.stderr)]);
    return { exitCode: (await exit)[0] ?? -1, stdout, stderr: stderr.toString() };
  }
}

/** Somebody with a key that opens nothing. */
export class Stranger {
  readonly ssh: SshClient;
  readonly #folder: string;

  private constructor(ssh: SshClient, folder: string) {
    this.ssh = ssh;
    this.#folder = folder;
  }

  static async create(): Promise<Stranger> {
    const folder = await mkdtemp(join(tmpdir(), 'golem-'));
    return new Stranger(await SshClient.create(folder), folder);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true });
  }
}
