/** The hostile end of a WebSocket, and what became of an attempt to open one. */
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { WebSocket, type RawData } from 'ws';
import { CLOSE } from '../../shared/src/closes.ts';
import { errorBodySchema } from '../../shared/src/error-body.ts';
import { Violation, type Answer } from './attack.ts';

/** Within this a socket that broke the protocol is closed: two cores have much else to do. */
const CLOSED_WITHIN_MILLIS = 8_000;
/** Longer than the 15 s that a session may take to open, and the 30 s of an answer. */
const ANSWERED_WITHIN_MILLIS = 40_000;
const LINGER_MILLIS = 300;
/** Messages that are kept until somebody asks for them; floods come back as well. */
const KEPT_MESSAGES = 4_096;

/** Codes of ours, and the platform's for a message that is larger than it takes. */
const CODES: ReadonlySet<number> = new Set([1009, ...Object.values(CLOSE).map(({ code }) => code)]);
/** Which codes are in order for what was done. */
const ALLOWED = {
  /** The protocol was broken. */
  said: CODES,
  /** The other end went, in whatever way. */
  'passed on': new Set([...CODES, 1000]),
  /** It was no WebSocket frame at all, or the connection was cut with that of the other end. */
  framing: new Set([...CODES, 1002, 1006, 1007]),
} as const satisfies Record<string, ReadonlySet<number>>;

interface Closed {
  readonly code: number;
  readonly reason: string;
}

export class Peer {
  readonly socket: WebSocket;
  /** The id of the session, where the answer named one. */
  readonly session: string | undefined;
  /** Below the WebSocket, for what no library sends. */
  readonly tcp: Socket;
  #closed: Closed | undefined;
  #pongs = 0;
  readonly #inbox: (string | Buffer)[] = [];
  #news = Promise.withResolvers<void>();

  constructor(socket: WebSocket, response: IncomingMessage) {
    this.socket = socket;
    this.tcp = response.socket;
    const session = response.headers['golem-session'];
    this.session = typeof session === 'string' ? session : undefined;
    const tell = () => {
      this.#news.resolve();
      this.#news = Promise.withResolvers();
    };
    socket.on('message', (data: RawData, isBinary) => {
      if (this.#inbox.length >= KEPT_MESSAGES) this.#inbox.shift();
      this.#inbox.push(isBinary ? (data as Buffer) : (data as Buffer).toString());
      tell();
    });
    socket.on('pong', () => {
      this.#pongs += 1;
      tell();
    });
    socket.on('close', (code, reason) => {
      this.#closed = { code, reason: reason.toString() };
      tell();
    });
  }

  get isClosed(): boolean {
    return this.#closed !== undefined;
  }

  /** As far as we know and want. */
  get isOpen(): boolean {
    return this.socket.readyState === WebSocket.OPEN && !this.tcp.destroyed;
  }

  /** Without a word of either end. */
  get isCut(): boolean {
    return this.#closed?.code === 1006;
  }

  /** Nothing happens when it is closed already. */
  send(...messages: readonly (string | Uint8Array)[]): void {
    for (const message of messages) {
      if (this.socket.readyState === WebSocket.OPEN) this.socket.send(message);
    }
  }

  /** The next message for which `read` finds something; undefined when it is closed before. */
  async find<Found>(
    read: (message: string | Buffer) => Found | undefined,
  ): Promise<Found | undefined> {
    return this.#until(() => {
      for (;;) {
        const message = this.#inbox.shift();
        if (message === undefined) return undefined;
        const found = read(message);
        if (found !== undefined) return found;
      }
    }, 'nothing of what was waited for came');
  }

  /** @throws {Violation} unless it is closed in time, with a code and a reason that say why */
  async closed(what: keyof typeof ALLOWED = 'said', millis?: number): Promise<Answer> {
    const closed = await this.#until(() => this.#closed, 'it was not closed', millis);
    if (!closed) throw new TypeError('a closed socket has a close');
    const { code, reason } = closed;
    if (!ALLOWED[what].has(code))
      throw new Violation(`closed with ${code} ${JSON.stringify(reason)}`);
    if (code >= 4000 && reason === '') throw new Violation(`closed with ${code} and no reason`);
    if (/\p{Cc}/u.test(reason)) {
      throw new Violation(
        `closed with ${code} and what cannot be printed: ${JSON.stringify(reason)}`,
      );
    }
    return `close ${code}`;
  }

  /** Still open: a ping is answered. What it was closed with otherwise. */
  async openOrClosed(): Promise<Answer> {
    const before = this.#pongs;
    if (this.socket.readyState === WebSocket.OPEN) this.socket.ping();
    const isOpen = await this.#until(
      () => this.#pongs > before || undefined,
      'a ping was not answered',
    );
    return isOpen ? 'open' : this.closed();
  }

  /** Goes without a word. */
  cut(): void {
    this.tcp.destroy();
  }

  /** Resolves when it is closed, whatever it was closed with. */
  async gone(): Promise<void> {
    await this.#until(() => this.#closed, 'it was not closed');
  }

  /** Says that it goes, and waits for the answer. */
  async leave(): Promise<void> {
    this.socket.close(1000, 'bye');
    await this.#until(() => this.#closed, 'a close was not answered');
  }

  /** Undefined when the socket is closed and `find` finds nothing. */
  async #until<Found>(
    find: () => Found | undefined,
    otherwise: string,
    millis = CLOSED_WITHIN_MILLIS,
  ): Promise<Found | undefined> {
    const deadline = AbortSignal.timeout(millis);
    const late = once(deadline, 'abort');
    for (;;) {
      const found = find();
      if (found !== undefined || this.#closed) return found;
      if (deadline.aborted) throw new Violation(`${otherwise} within ${millis} ms`);
      await Promise.race([this.#news.promise, late]);
    }
  }
}

export interface Upgrade {
  /** `http://...` */
  readonly url: string;
  /** An array is a header that is there several times. */
  readonly headers: Readonly<Record<string, string | readonly string[]>>;
  readonly protocols?: readonly string[];
}

/** A socket, or how it was refused: `cut` where the connection ended without an answer. */
export type Dialled =
  | { readonly peer: Peer }
  | { readonly peer?: undefined; readonly refused: Answer };

/** @throws {Violation} for an answer that is neither a socket nor the one error */
export async function dial({ url, headers, protocols = [] }: Upgrade): Promise<Dialled> {
  const socket = new WebSocket(url.replace(/^http/, 'ws'), [...protocols], {
    headers: headers as Record<string, string>,
    perMessageDeflate: false,
    // A close was said: how long the connection below stays open is another matter.
    ...{ closeTimeout: LINGER_MILLIS },
    // What was sent to us is judged by what it says.
    skipUTF8Validation: true,
  });
  const { promise, resolve, reject } = Promise.withResolvers<Dialled>();
  let response: IncomingMessage | undefined;
  socket.once('upgrade', (answer: IncomingMessage) => (response = answer));
  socket.once('open', () => response && resolve({ peer: new Peer(socket, response) }));
  socket.once('unexpected-response', (request, answer: IncomingMessage) => {
    refusalOf(answer)
      .then((refused) => resolve({ refused }), reject)
      .finally(() => request.destroy());
  });
  // After it was opened a `close` follows, which tells all.
  socket.on('error', () => resolve({ refused: 'cut' }));
  const timer = setTimeout(() => {
    reject(new Violation(`an upgrade was not answered within ${ANSWERED_WITHIN_MILLIS} ms`));
    socket.terminate();
  }, ANSWERED_WITHIN_MILLIS);
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
  }
}

async function refusalOf(response: IncomingMessage): Promise<Answer> {
  let text = '';
  for await (const chunk of response.setEncoding('utf8')) text += String(chunk);
  return refusedBy(response.statusCode ?? 0, text);
}

/** @throws {Violation} for what is no error of ours, or one that must not happen */
export function refusedBy(status: number, text: string): Answer {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch (cause) {
    throw new Violation(`${status} without an error: ${text.slice(0, 200)}`, { cause });
  }
  const parsed = errorBodySchema.safeParse(body);
  if (!parsed.success) throw new Violation(`${status} with another error: ${text.slice(0, 200)}`);
  const { code, message } = parsed.data.error;
  if (code === 'internal') throw new Violation(`${status} internal: ${message}`);
  return `${status} ${code}`;
}
