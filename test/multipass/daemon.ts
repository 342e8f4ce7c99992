/**
 * The daemon of the stand-in: its instances are guests of another driver of ours. It listens on a
 * socket in its folder, and what it knows of instances outlives it. See multipass.ts for the sources
 * that it follows.
 */
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import type { Driver, GuestImage } from '../../agent/src/drivers/driver.ts';
import { commands } from './commands.ts';
import { Forwarder } from './forwarder.ts';
import { Failure, Instance, type Saved } from './instance.ts';
import { faultsOf, socketOf, type Faults, type Reply, type Request, type Version } from './wire.ts';

export interface DaemonOptions {
  readonly dir: string;
  readonly version: Version;
  /** What its guests run on. The daemon opens it on a folder of its own, and lets go of it. */
  readonly openDriver: (stateDir: string) => Promise<Driver>;
  /** What every image is taken for. */
  readonly image: GuestImage;
  readonly sshPort: number;
}

export class Daemon implements AsyncDisposable {
  readonly options: DaemonOptions;
  readonly driver: Driver;
  readonly instances = new Map<string, Instance>();
  /** Names whose image is being prepared: nothing else is known of them. */
  readonly preparing = new Set<string>();
  /** Every command that was asked for. */
  readonly asked: string[] = [];
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(options: DaemonOptions, driver: Driver) {
    this.options = options;
    this.driver = driver;
    this.#server = createServer({ allowHalfOpen: true }, (socket) => void this.#serve(socket));
  }

  static async start(options: DaemonOptions): Promise<Daemon> {
    const { dir } = options;
    await mkdir(dir, { recursive: true });
    const daemon = new Daemon(options, await options.openDriver(join(dir, 'guests')));
    await daemon.#load();
    await rm(socketOf(dir), { force: true });
    daemon.#server.listen(socketOf(dir));
    await once(daemon.#server, 'listening');
    return daemon;
  }

  async faults(): Promise<Faults> {
    const file = await readFile(faultsOf(this.options.dir), 'utf8').catch(() => '{}');
    return JSON.parse(file) as Faults;
  }

  async save(): Promise<void> {
    const path = join(this.options.dir, 'instances.json');
    const saved = [...this.instances.values()].map((instance) => instance.saved);
    const next = `${path}.${process.hrtime.bigint()}`;
    await writeFile(next, JSON.stringify(saved));
    await rename(next, path);
  }

  /** Gives an instance its address, if it has none. */
  async connect(instance: Instance): Promise<void> {
    const { saved } = instance;
    instance.forwarder ??= await Forwarder.open({
      port: this.options.sshPort,
      address: saved.address,
      dial: (signal) => this.driver.dial(saved.vmId, signal),
    });
    saved.address = instance.forwarder.address;
  }

  async disconnect(instance: Instance): Promise<void> {
    await instance.forwarder?.[Symbol.asyncDispose]();
    instance.forwarder = undefined;
  }

  /** Stops listening. Guests go on. */
  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
    for (const instance of this.instances.values()) {
      instance.abort.abort();
      await instance.launching;
      await this.disconnect(instance);
    }
    await this.driver[Symbol.asyncDispose]();
  }

  async #load(): Promise<void> {
    const path = join(this.options.dir, 'instances.json');
    const file = await readFile(path, 'utf8').catch(() => '[]');
    for (const saved of JSON.parse(file) as Saved[]) {
      const instance = new Instance(saved, this.driver);
      this.instances.set(saved.name, instance);
      if ((await instance.state()) === 'Running') await this.connect(instance);
    }
  }

  async #serve(socket: Socket): Promise<void> {
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket)).on('error', () => undefined);
    const request = JSON.parse(await text(socket)) as Request;
    const reply = await this.#answer(request);
    // The client may be gone; what it asked for is done.
    if (!socket.destroyed) socket.end(JSON.stringify(reply));
  }

  async #answer(request: Request): Promise<Reply> {
    this.asked.push(request.command);
    const command = commands[request.command];
    try {
      if (!command) throw new Failure('unknown command');
      return { data: (await command(this, request)) ?? null };
    } catch (error) {
      if (error instanceof Failure) return { failed: error.message };
      return { failed: `internal error: ${String(error)}` };
    }
  }
}
