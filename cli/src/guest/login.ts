/** Into a guest by ssh2: for machines without OpenSSH, and for what the CLI does there by itself. */
import type { Duplex } from 'node:stream';
import { EXIT, GolemError } from '@vm-on-golem/shared/errors';
import ssh2, { type AnyAuthMethod, type ClientChannel, type SFTPWrapper } from 'ssh2';
import type { Offered } from './auth.ts';
import { checkHostKey, hostKeyTypes, type PinnedHost } from './host-key.ts';
import { GUEST_LIMITS } from './limits.ts';
import { attend, type ExitStatus, type GuestIo } from './session.ts';

export interface LoginOptions {
  /** To the guest's SSH port; it is this login's from now on. */
  readonly stream: Duplex;
  readonly host: PinnedHost;
  readonly user: string;
  readonly keys: readonly Offered[];
  readonly signal: AbortSignal;
}

/** One connection, with as many channels as somebody needs. Disposing of it ends them all. */
export interface Guest extends AsyncDisposable {
  /** Runs a line in the user's shell. @throws {GolemError} `relay_failed` when it is lost meanwhile */
  exec(command: string, io: GuestIo): Promise<ExitStatus>;
  /** The user's shell itself. */
  shell(io: GuestIo): Promise<ExitStatus>;
  /** @param signal ends the waiting for it */
  sftp(signal: AbortSignal): Promise<SFTPWrapper>;
  /** A TCP connection that the guest makes. @throws {GolemError} `relay_failed` when it cannot */
  forward(host: string, port: number): Promise<Duplex>;
  /** Resolves when the connection is no more, with the reason if there is one. */
  readonly closed: Promise<Error | undefined>;
}

/**
 * @throws {GolemError} `host_key_changed`, `forbidden` when the guest takes none of the keys, or
 *   `relay_failed`
 */
export async function openGuest(options: LoginOptions): Promise<Guest> {
  const { stream, host, user, keys, signal } = options;
  const client = new ssh2.Client();
  const { promise: closed, resolve: close } = Promise.withResolvers<Error | undefined>();
  let why: Error | undefined;
  let changed: GolemError | undefined;
  const ready = Promise.withResolvers<void>();
  // Whoever waits for the login hears of it there; nobody waits after that.
  ready.promise.catch(() => undefined);
  client.on('error', (error) => {
    why ??= changed ?? failure(error, host.name);
    ready.reject(why);
  });
  client.once('close', () => {
    why ??= changed;
    close(why);
    ready.reject(why ?? lost(host.name));
  });
  client.once('ready', () => ready.resolve());
  const onAbort = () => {
    why ??= signal.reason as Error;
    stream.destroy(why);
  };
  signal.addEventListener('abort', onAbort, { once: true });
  void closed.then(() => signal.removeEventListener('abort', onAbort));
  client.connect({
    sock: stream,
    username: user,
    readyTimeout: GUEST_LIMITS.handshakeMillis,
    algorithms: { serverHostKey: hostKeyTypes(host) as ssh2.ServerHostKeyAlgorithm[] },
    hostVerifier: (seen: Buffer) => {
      changed = checkHostKey(host, seen);
      return changed === undefined;
    },
    authHandler: keys.map((key) => methodOf(key, user)),
  });
  try {
    await ready.promise;
  } catch (error) {
    client.destroy();
    signal.throwIfAborted();
    throw error;
  }
  return new Connection(client, host.name, closed);
}

function methodOf(offered: Offered, username: string): AnyAuthMethod {
  return offered.kind === 'key'
    ? { type: 'publickey', username, key: offered.key }
    : { type: 'agent', username, agent: offered.agent };
}

type Open<Opened> = (done: (error: Error | undefined, opened: Opened) => void) => void;

class Connection implements Guest {
  readonly closed: Promise<Error | undefined>;
  readonly #client: ssh2.Client;
  readonly #name: string;

  constructor(client: ssh2.Client, name: string, closed: Promise<Error | undefined>) {
    this.#client = client;
    this.#name = name;
    this.closed = closed;
  }

  async exec(command: string, io: GuestIo): Promise<ExitStatus> {
    const { terminal } = io;
    return this.#attend(io, (done) =>
      this.#client.exec(command, terminal ? { pty: terminal.size() } : {}, done),
    );
  }

  async shell(io: GuestIo): Promise<ExitStatus> {
    const window = io.terminal?.size() ?? false;
    return this.#attend(io, (done) => this.#client.shell(window, done));
  }

  sftp(signal: AbortSignal): Promise<SFTPWrapper> {
    return this.#open<SFTPWrapper>((done) => this.#client.sftp(done), asItIs, signal);
  }

  forward(host: string, port: number): Promise<Duplex> {
    return this.#open<Duplex>(
      (done) => this.#client.forwardOut('127.0.0.1', 0, host, port, done),
      asItIs,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#client.end();
    // A farewell that nobody answers holds up nobody: what was to be done is done.
    const patience = setTimeout(() => this.#client.destroy(), GUEST_LIMITS.farewellMillis);
    await this.closed;
    clearTimeout(patience);
  }

  async #attend(io: GuestIo, open: Open<ClientChannel>): Promise<ExitStatus> {
    // At once: all of a program that is quick, how it ended included, is in what ssh2 is reading now.
    const use = (channel: ClientChannel) => ({ ended: attend(channel, io) });
    const { ended } = await this.#open(open, use, io.signal);
    const status = await ended;
    if (status) return status;
    // A connection that breaks takes its channels along, without a word from the guest.
    const why = await Promise.race([this.closed, afterThat()]);
    throw why instanceof GolemError ? why : lost(this.#name, why);
  }

  /**
   * @param use is called before anything else happens to what was opened
   * @param signal ends the waiting for a guest that does not answer
   */
  #open<Opened, Used = Opened>(
    open: Open<Opened>,
    use: (opened: Opened) => Used,
    signal?: AbortSignal,
  ): Promise<Used> {
    return new Promise((resolve, reject) => {
      const giveUp = () => reject(signal?.reason as Error);
      if (signal?.aborted) return giveUp();
      signal?.addEventListener('abort', giveUp, { once: true });
      const answered = () => signal?.removeEventListener('abort', giveUp);
      const refuse = async (cause: unknown) => {
        // What is asked for as the connection ends fails with that, and not for a reason of its own.
        const why = await Promise.race([this.closed, afterThat()]);
        const words = cause instanceof Error ? cause.message : String(cause);
        const refused = `'${this.#name}' did not take that: ${words}.`;
        reject(why ?? new GolemError('relay_failed', refused, { cause }));
      };
      try {
        open((error, opened) => {
          answered();
          // Nobody waits for it any more: it goes with the connection.
          if (signal?.aborted) return;
          if (error) void refuse(error);
          else resolve(use(opened));
        });
      } catch (error) {
        answered();
        // ssh2 throws at once when it knows already that it is not connected.
        void refuse(error);
      }
    });
  }
}

const asItIs = <Opened>(opened: Opened) => opened;

const afterThat = () => new Promise<undefined>((resolve) => void setImmediate(resolve, undefined));

function failure(error: Error & { level?: string }, name: string): GolemError {
  if (error instanceof GolemError) return error;
  if (error.level === 'client-authentication') {
    return new GolemError('forbidden', `'${name}' lets none of your SSH keys in.`, {
      hint: "It knows the keys that it was created with, and those that 'golem vm share' put into it.",
      cause: error,
    });
  }
  return lost(name, error);
}

function lost(name: string, cause?: Error): GolemError {
  const words = cause ? `: ${cause.message}` : '';
  return new GolemError('relay_failed', `The connection to '${name}' ended${words}.`, { cause });
}

/** As a shell says it: 128 and the number of the signal, or the code. */
export function exitCodeOf(
  { code, signal }: ExitStatus,
  numbers: Readonly<Record<string, number>>,
) {
  if (code !== undefined) return code;
  const number = numbers[signal ?? ''];
  return number === undefined ? EXIT.transport : 128 + number;
}
