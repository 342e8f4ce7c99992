/**
 * The small Internet with something that listens everywhere a guest might want to go, and a program
 * with guests on the provider's machine.
 */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createNatNetwork, type NatNetwork } from '../nat/network.ts';
import type { Acts, Backend, HostOptions } from './host.ts';

export const INTERNET = '198.51.100.2';
const NAME = 'internet.test';
const WEB_PORT = 80;
/** Of the provider's own machine, on all its addresses. */
const SERVICE_PORT = 8022;
const NOBODY = 65534;

const program = (name: string) => join(import.meta.dirname, name);
const LISTEN = `require('node:net').createServer((socket) => {
  socket.on('error', () => undefined);
  socket.end('here');
}).listen(Number(process.argv[1]), '0.0.0.0', () => console.log('listening'));`;

export class Lab implements AsyncDisposable {
  readonly dir: string;
  readonly network: NatNetwork;
  readonly #resources = new AsyncDisposableStack();

  private constructor(dir: string, network: NatNetwork) {
    this.dir = dir;
    this.network = network;
  }

  static async open(): Promise<Lab> {
    const dir = await mkdtemp(join(tmpdir(), 'i-'));
    const lab = new Lab(dir, createNatNetwork('port-preserving'));
    const resources = lab.#resources;
    resources.defer(() => rm(dir, { recursive: true, force: true }));
    resources.use(lab.network);
    // For the helpers of guests that run as somebody else.
    await chmod(dir, 0o777);
    execFileSync('mknod', [join(dir, 'tun'), 'c', '10', '200']);
    await chmod(join(dir, 'tun'), 0o666);
    const { client, router, provider } = lab.network.on;
    await lab.#name(provider);
    await lab.#listen([...client, process.execPath, program('internet.ts'), NAME, INTERNET]);
    await lab.#listen([...router, process.execPath, '-e', LISTEN, String(WEB_PORT)]);
    await lab.#listen([...provider, process.execPath, '-e', LISTEN, String(SERVICE_PORT)]);
    return lab;
  }

  /**
   * Puts a program on the provider's machine, where everybody may open network devices as on every
   * machine but those that tests run on: as root for `tap`, as nobody for `pasta`.
   */
  provider(backend: Backend): readonly string[] {
    const rootless = ['setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups', '--'];
    return [
      ...this.network.on.provider,
      ...['unshare', '--mount', 'sh', '-c'],
      `mount --bind '${join(this.dir, 'tun')}' /dev/net/tun && exec "$@"`,
      'sh',
      ...(backend === 'pasta' ? rootless : []),
    ];
  }

  /** Starts the program with guests, in the place of one that was killed. */
  async host(backend: Backend, images: string): Promise<RemoteHost> {
    const dir = join(this.dir, backend);
    await mkdir(dir, { recursive: true });
    await chmod(dir, 0o777);
    const options: HostOptions = {
      ...{ dir, images, backend, discovery: `http://${NAME}`, resolver: INTERNET },
      publicAddress: this.network.routerAddress,
    };
    const words = [process.execPath, program('host.ts'), JSON.stringify(options)];
    const host = new RemoteHost([...this.provider(backend), ...words]);
    this.#resources.use(host);
    await host.ready;
    return host;
  }

  /** Whether a host of the small Internet gets a connection. */
  reaches(from: readonly string[], address: string, port: number): boolean {
    const script = `require('node:net').connect({ host: '${address}', port: ${port}, timeout: 1500 })
      .on('connect', () => process.exit(0)).on('error', () => process.exit(1))
      .on('timeout', () => process.exit(1))`;
    const [first = '', ...rest] = from;
    try {
      execFileSync(first, [...rest, process.execPath, '-e', script], { stdio: 'ignore' });
      return true;
    } catch {
      // The script ends with 1 for whatever is no connection.
      return false;
    }
  }

  /** What a command prints on the provider's machine. */
  onProvider(...words: string[]): string {
    const [first = '', ...rest] = [...this.network.on.provider, ...words];
    return execFileSync(first, rest, { encoding: 'utf8' });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#resources.disposeAsync();
  }

  async #listen([first = '', ...rest]: readonly string[]): Promise<void> {
    const child = spawn(first, rest, { stdio: ['ignore', 'pipe', 'inherit'] });
    this.#resources.defer(async () => {
      const gone = once(child, 'exit');
      child.kill('SIGKILL');
      await gone;
    });
    await once(child.stdout, 'data');
  }

  /** The provider's machine knows the name of the Internet host from a file, its guests from DNS. */
  async #name(provider: readonly string[]): Promise<void> {
    const folder = `/etc/netns/${provider.at(-1)}`;
    await mkdir(folder, { recursive: true });
    this.#resources.defer(() => rm(folder, { recursive: true }));
    await writeFile(join(folder, 'hosts'), `127.0.0.1 localhost\n${INTERNET} ${NAME}\n`);
  }
}

interface Answer {
  readonly id: number;
  readonly result?: unknown;
  readonly error?: string;
}

/** The program with guests, as the test sees it. */
export class RemoteHost implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, PromiseWithResolvers<unknown>>();
  #next = 1;
  readonly ready: Promise<unknown>;

  constructor([first = '', ...rest]: readonly string[]) {
    this.#child = spawn(first, rest, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    this.ready = this.#wait(0);
    this.#child.on('message', ({ id, result, error }: Answer) => {
      if (error === undefined) this.#waiting.get(id)?.resolve(result);
      else this.#waiting.get(id)?.reject(new Error(error));
      this.#waiting.delete(id);
    });
    this.#child.once('exit', () => {
      for (const waiter of this.#waiting.values()) waiter.reject(new Error('the program ended'));
    });
  }

  async ask<Act extends keyof Acts>(
    act: Act,
    ...args: Parameters<Acts[Act]>
  ): Promise<Awaited<ReturnType<Acts[Act]>>> {
    const id = this.#next++;
    const answer = this.#wait(id);
    this.#child.send({ id, act, args });
    return (await answer) as Awaited<ReturnType<Acts[Act]>>;
  }

  async kill(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const gone = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await gone;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }

  #wait(id: number): Promise<unknown> {
    const waiter = Promise.withResolvers<unknown>();
    this.#waiting.set(id, waiter);
    return waiter.promise;
  }
}
