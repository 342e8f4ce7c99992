/** QEMU Machine Protocol: JSON lines over a unix socket that serves one client at a time. */
import { connect, type Socket } from 'node:net';
import { DriverError } from '../driver.ts';

/** QEMU answers within milliseconds, and a loaded machine within seconds. */
const ANSWER_MILLIS = 10_000;
const GREETING_MILLIS = 5_000;
/** What we ask for has answers of a few KiB. A QEMU that a guest took over may say anything. */
const LINE_CHARS = 1024 * 1024;

/** There is nobody at the socket: QEMU does not run. */
export class QmpUnreachable extends Error {
  override readonly name = 'QmpUnreachable';
}

interface Pending {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
  readonly timer: NodeJS.Timeout;
}

/** What QEMU says unasked. */
export interface QmpEvent {
  /** Such as `BLOCK_IO_ERROR`. */
  readonly event: string;
  readonly data: Readonly<Record<string, unknown>>;
}
type Listener = (event: QmpEvent) => void;

export class Qmp implements Disposable {
  readonly #socket: Socket;
  readonly #pending = new Map<number, Pending>();
  readonly #listeners = new Set<Listener>();
  #nextId = 1;
  /** Resolves when the connection ends, which is when QEMU does, or when we let go. */
  readonly closed: Promise<void>;

  private constructor(socket: Socket) {
    this.#socket = socket;
    this.closed = new Promise((resolve) => {
      socket.once('close', () => {
        for (const pending of this.#pending.values()) {
          clearTimeout(pending.timer);
          pending.reject(new DriverError('failed', 'QEMU ended before it answered.'));
        }
        this.#pending.clear();
        resolve();
      });
    });
  }

  /**
   * @throws {QmpUnreachable} nobody listens: QEMU does not run.
   * @throws {DriverError} `unavailable` when somebody listens and does not answer.
   */
  static async connect(path: string): Promise<Qmp> {
    const socket = await new Promise<Socket>((resolve, reject) => {
      const candidate = connect(path);
      candidate.once('connect', () => {
        candidate.removeAllListeners('error');
        resolve(candidate);
      });
      candidate.once('error', (cause: NodeJS.ErrnoException) => {
        const nobody = cause.code === 'ENOENT' || cause.code === 'ECONNREFUSED';
        reject(
          nobody
            ? new QmpUnreachable('nobody listens', { cause })
            : new DriverError('unavailable', 'QEMU cannot be reached.', { cause }),
        );
      });
    });
    // A broken connection shows as `close`, which everybody who waits is told of.
    socket.on('error', () => socket.destroy());
    const qmp = new Qmp(socket);
    try {
      await qmp.#greeting();
      await qmp.execute('qmp_capabilities');
    } catch (cause) {
      socket.destroy();
      throw new DriverError('unavailable', 'QEMU does not answer on its control socket.', {
        cause,
      });
    }
    return qmp;
  }

  /** @throws {DriverError} `failed` with QEMU's own words, or `timeout`. */
  execute(
    command: string,
    args: Readonly<Record<string, unknown>> = {},
    millis = ANSWER_MILLIS,
  ): Promise<unknown> {
    if (this.#socket.destroyed) {
      return Promise.reject(new DriverError('failed', 'QEMU has ended.'));
    }
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#pending.delete(id);
        reject(new DriverError('timeout', `QEMU did not answer ${command} in time.`));
      }, millis);
      this.#pending.set(id, { resolve, reject, timer });
      this.#socket.write(`${JSON.stringify({ execute: command, arguments: args, id })}\n`);
    });
  }

  onEvent(listener: Listener): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  /** A command of the human monitor, for what QMP itself does not tell. */
  async monitor(commandLine: string): Promise<string> {
    return String(await this.execute('human-monitor-command', { 'command-line': commandLine }));
  }

  /** Lets go of QEMU, which goes on. */
  [Symbol.dispose](): void {
    this.#socket.destroy();
  }

  #greeting(): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const timer = setTimeout(() => reject(new Error('no greeting')), GREETING_MILLIS);
    this.#socket.once('close', () => reject(new Error('closed before the greeting')));
    onLines(this.#socket, (line) => {
      const message = parse(line);
      if (message && 'QMP' in message) resolve();
      else if (message) this.#answer(message);
    });
    return promise.finally(() => clearTimeout(timer));
  }

  #answer(message: Record<string, unknown>): void {
    const { event, data } = message;
    if (typeof event === 'string') {
      const said = { event, data: isObject(data) ? data : {} };
      for (const listener of this.#listeners) listener(said);
      return;
    }
    const pending = this.#pending.get(Number(message['id']));
    if (!pending) return;
    this.#pending.delete(Number(message['id']));
    clearTimeout(pending.timer);
    if (!('error' in message)) return pending.resolve(message['return']);
    const { desc } = message['error'] as { desc?: string };
    pending.reject(new DriverError('failed', `QEMU refused: ${desc ?? 'no reason given'}`));
  }
}

/** A line without end ends the connection. */
function onLines(socket: Socket, onLine: (line: string) => void): void {
  let rest = '';
  socket.setEncoding('utf8').on('data', (chunk: string) => {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) onLine(line);
    if (rest.length > LINE_CHARS) socket.destroy();
  });
}

/** A line that is not a JSON object is none of QEMU's; there is nothing to answer to it. */
function parse(line: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
