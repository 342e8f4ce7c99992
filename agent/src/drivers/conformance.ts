/** What every driver must do, as one suite: `testDriver` is called by the tests of each. */
import { execFile, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { newVmId } from '@vm-on-golem/shared/ids';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Driver, DriverErrorCode, GuestSpec, LaunchStage } from './driver.ts';

const run = promisify(execFile);

export interface DriverUnderTest {
  readonly name: string;
  /** Opens a driver on a folder that may hold guests of an earlier one. */
  open(stateDir: string): Promise<Driver>;
  /** A guest that was never launched, with an id of its own, that lets `authorizedKey` in. */
  prepareSpec(authorizedKey: string): Promise<GuestSpec>;
  readonly timeouts: {
    /** From launch or start to SSH. */
    readonly bootMillis: number;
    /** For a shutdown from within, before the plug is pulled. */
    readonly graceMillis: number;
  };
}

/** The tests share one guest, in order: where instructions are emulated a boot takes seconds. */
export function testDriver(subject: DriverUnderTest): void {
  const { bootMillis, graceMillis } = subject.timeouts;
  const slow = bootMillis + graceMillis + 10_000;

  describe(`the ${subject.name} driver`, { timeout: slow }, () => {
    let scratch: string;
    let stateDir: string;
    let driver: Driver;
    let spec: GuestSpec;
    let ssh: SshClient;

    beforeAll(async () => {
      scratch = await mkdtemp(join(tmpdir(), 'golem-'));
      stateDir = join(scratch, 'guests');
      driver = await subject.open(stateDir);
      ssh = await SshClient.create(scratch);
      spec = await subject.prepareSpec(ssh.publicKey);
    });
    afterAll(async () => {
      for (const { vmId } of await driver.list()) await driver.destroy(vmId);
      await driver[Symbol.asyncDispose]();
      await rm(scratch, { recursive: true, force: true });
    }, slow);

    const boot = (stages: LaunchStage[] = []) => ({
      signal: AbortSignal.timeout(bootMillis),
      onStage: (stage: LaunchStage) => void stages.push(stage),
    });
    const stopping = () => ({ graceMs: graceMillis, signal: AbortSignal.timeout(slow) });
    const fails = async (work: Promise<unknown>, code: DriverErrorCode) =>
      expect(work).rejects.toMatchObject({ name: 'DriverError', code });
    const signal = () => AbortSignal.timeout(bootMillis);
    const leavesNothing = async (vmId: string) => {
      expect(await driver.inspect(vmId)).toEqual({ vmId, state: 'absent' });
      expect((await driver.list()).map((guest) => guest.vmId)).not.toContain(vmId);
      expect((await readdir(stateDir)).filter((name) => name.includes(vmId))).toEqual([]);
    };

    test('says what it runs on', async () => {
      const facts = await driver.facts();
      expect(facts.arch).toBe(spec.image.arch);
      expect(facts.version).toMatch(/^\d/);
    });

    test('knows of no guest that was never launched', async () => {
      const vmId = newVmId();
      expect(await driver.inspect(vmId)).toEqual({ vmId, state: 'absent' });
      expect(await driver.list()).toEqual([]);
      expect(await driver.console(vmId, 1000)).toBe('');
      await driver.destroy(vmId);
      await fails(driver.start(vmId, boot()), 'absent');
      await fails(driver.stop(vmId, stopping()), 'absent');
      await fails(driver.dial(vmId, signal()), 'absent');
    });

    test('refuses what is no VM id, before it becomes a path', async () => {
      for (const vmId of ['../escape', '-option', '', 'vm_short']) {
        await fails(driver.inspect(vmId), 'failed');
        await fails(driver.launch({ ...spec, vmId }, boot()), 'failed');
        await fails(driver.destroy(vmId), 'failed');
      }
      expect(await readdir(scratch)).toContain('guests');
    });

    test('launches a guest, stage by stage', async () => {
      const stages: LaunchStage[] = [];
      await driver.launch(spec, boot(stages));
      expect(stages).toEqual(['disk', 'boot', 'ssh']);
      expect(await driver.inspect(spec.vmId)).toEqual({ vmId: spec.vmId, state: 'running' });
      expect(await driver.list()).toEqual([{ vmId: spec.vmId, state: 'running' }]);
    });

    test('launches no guest twice', async () => {
      await fails(driver.launch(spec, boot()), 'exists');
      expect(await driver.inspect(spec.vmId)).toMatchObject({ state: 'running' });
    });

    test('leaves a running guest alone when it is started', async () => {
      await driver.start(spec.vmId, boot());
      expect(await driver.inspect(spec.vmId)).toMatchObject({ state: 'running' });
    });

    test('lets the owner in by OpenSSH, with the host key known before', async () => {
      const login = await ssh.run(driver, spec, 'hostname');
      expect(login).toMatchObject({ exitCode: 0, stderr: '' });
      expect(spec.seed.metaData).toContain(`local-hostname: ${login.stdout.toString().trim()}\n`);
      expect(await ssh.run(driver, spec, 'exit 7')).toMatchObject({ exitCode: 7 });
    });

    test('has no other host key than the one that it was given', async () => {
      const other = { ...spec, hostKey: ssh.publicKey };
      const login = await ssh.run(driver, other, 'hostname');
      expect(login.exitCode).toBe(255);
      expect(login.stderr).toContain('Host key verification failed');
    });

    test('lets nobody else in', async () => {
      await using stranger = await Stranger.create();
      const login = await stranger.ssh.run(driver, spec, 'hostname');
      expect(login.exitCode).toBe(255);
      expect(login.stderr).toContain('Permission denied');
    });

    test('carries many bytes in both directions', async () => {
      const sent = randomBytes(1024 * 1024);
      const { stdout } = await ssh.run(driver, spec, 'cat', sent);
      expect(digest(stdout)).toBe(digest(sent));
    });

    test('carries several connections at once', async () => {
      const words = ['one', 'two', 'three'];
      const logins = await Promise.all(words.map((word) => ssh.run(driver, spec, `echo ${word}`)));
      expect(logins.map(({ stdout }) => stdout.toString())).toEqual(words.map((w) => `${w}\n`));
    });

    test('shows the end of the console', async () => {
      const whole = await driver.console(spec.vmId, 64 * 1024);
      expect(whole).toMatch(/\S/);
      const end = await driver.console(spec.vmId, 5);
      expect(Buffer.byteLength(end)).toBeLessThanOrEqual(5);
      expect(whole.endsWith(end)).toBe(true);
    });

    test('keeps the disk of a guest that is stopped and started', async () => {
      await ssh.run(driver, spec, 'cat > kept', Buffer.from('still here'));
      await driver.stop(spec.vmId, stopping());
      expect(await driver.inspect(spec.vmId)).toMatchObject({ state: 'stopped' });
      expect(await driver.list()).toEqual([{ vmId: spec.vmId, state: 'stopped' }]);
      await driver.stop(spec.vmId, stopping());
      await fails(driver.dial(spec.vmId, signal()), 'not_running');
      await fails(driver.launch(spec, boot()), 'exists');

      const stages: LaunchStage[] = [];
      await driver.start(spec.vmId, boot(stages));
      expect(stages).toEqual(['boot', 'ssh']);
      const { stdout } = await ssh.run(driver, spec, 'cat kept');
      expect(stdout.toString()).toBe('still here');
    });

    test('lets go of guests, and finds them again', async () => {
      await driver[Symbol.asyncDispose]();
      driver = await subject.open(stateDir);
      expect(await driver.list()).toEqual([{ vmId: spec.vmId, state: 'running' }]);
      expect(await ssh.run(driver, spec, 'exit 0')).toMatchObject({ exitCode: 0 });
    });

    test('ends connections and leaves nothing behind when it destroys a guest', async () => {
      const stream = await driver.dial(spec.vmId, signal());
      stream.on('error', () => undefined).resume();
      const ended = once(stream, 'close');
      await driver.destroy(spec.vmId);
      await ended;
      await leavesNothing(spec.vmId);
      await fails(driver.dial(spec.vmId, signal()), 'absent');
      await driver.destroy(spec.vmId);
    });

    test.each(['disk', 'boot', 'ssh'] as const)(
      'stops waiting for a launch that is aborted at %s, and removes what there is of it',
      async (last) => {
        const aborted = await subject.prepareSpec(ssh.publicKey);
        const abort = new AbortController();
        const onStage = (stage: LaunchStage) => {
          if (stage === last) abort.abort();
        };
        await fails(driver.launch(aborted, { signal: abort.signal, onStage }), 'aborted');
        await driver.destroy(aborted.vmId);
        await leavesNothing(aborted.vmId);
      },
    );

    test('fails a launch whose guest shows another host key, and removes it', async () => {
      const honest = await subject.prepareSpec(ssh.publicKey);
      await fails(driver.launch({ ...honest, hostKey: ssh.publicKey }, boot()), 'failed');
      await driver.destroy(honest.vmId);
      await leavesNothing(honest.vmId);
    });

    test('refuses a guest with less memory than its image needs', async () => {
      const small = await subject.prepareSpec(ssh.publicKey);
      const memoryMiB = small.image.minMemoryMiB - 1;
      await fails(driver.launch({ ...small, memoryMiB }, boot()), 'failed');
      await driver.destroy(small.vmId);
      await leavesNothing(small.vmId);
    });
  });
}

interface Login {
  readonly exitCode: number;
  readonly stdout: Buffer;
  readonly stderr: string;
}

/** OpenSSH's own client, with a key pair of its own and no settings of whoever runs the tests. */
class SshClient {
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

  async run(driver: Driver, spec: GuestSpec, command: string, stdin?: Buffer): Promise<Login> {
    const { vmId, hostKey, image } = spec;
    const knownHosts = join(this.#folder, `${randomBytes(6).toString('hex')}.hosts`);
    await writeFile(knownHosts, `${vmId} ${hostKey}\n`);
    await using bridge = await Bridge.open(driver, vmId);
    const options = [
      ...['StrictHostKeyChecking=yes', 'IdentitiesOnly=yes', 'BatchMode=yes', 'LogLevel=ERROR'],
      ...[`UserKnownHostsFile=${knownHosts}`, 'GlobalKnownHostsFile=none'],
      ...[`HostKeyAlias=${vmId}`, 'HostKeyAlgorithms=ssh-ed25519'],
    ].flatMap((option) => ['-o', option]);
    const client = spawn(
      'ssh',
      [
        ...['-F', 'none', '-T', '-i', join(this.#folder, 'key'), ...options],
        ...['-p', String(bridge.port), `${image.user}@127.0.0.1`, command],
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
class Stranger {
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

/** A TCP port on loopback, each connection of which is one `dial`. */
class Bridge {
  readonly port: number;
  readonly #server: Server;
  readonly #sockets: ReadonlySet<Socket>;

  private constructor(server: Server, sockets: ReadonlySet<Socket>) {
    this.#server = server;
    this.#sockets = sockets;
    this.port = (server.address() as AddressInfo).port;
  }

  static async open(driver: Driver, vmId: string): Promise<Bridge> {
    const sockets = new Set<Socket>();
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      sockets.add(socket);
      socket.once('close', () => sockets.delete(socket)).on('error', () => undefined);
      driver.dial(vmId, new AbortController().signal).then(
        (guest) => {
          // Either side may go at any time: ssh says what became of it.
          pipeline(socket, guest, socket).catch(() => undefined);
        },
        (error: Error) => socket.destroy(error),
      );
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new Bridge(server, sockets);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }
}

function digest(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}
