/** A WebSocket to the relay, with the bytes of an SSH session on this side of it. */
import type { IncomingMessage } from 'node:http';
import type { Readable, Writable } from 'node:stream';
import { CLOSE } from '@vm-on-golem/shared/closes';
import { readErrorBody } from '@vm-on-golem/shared/error-body';
import { GolemError } from '@vm-on-golem/shared/errors';
import { sessionIdSchema } from '@vm-on-golem/shared/ids';
import { LIMITS } from '@vm-on-golem/shared/limits';
import { HEADER_BYTES } from '@vm-on-golem/shared/stream/frame';
import type { ByteSink, Clock, FrameSocket } from '@vm-on-golem/shared/stream/ports';
import { Garbage } from '@vm-on-golem/shared/stream/garbage';
import { pump } from '@vm-on-golem/shared/stream/pump';
import { Budget } from '@vm-on-golem/shared/stream/window';
import { WebSocket } from 'ws';
import { collectYoung } from './collect.ts';
import type { RelaySettings } from './settings.ts';

const OPEN_MILLIS = (LIMITS.relay.pairSeconds + 10) * 1000;
const MAX_REFUSAL_BYTES = 64 * 1024;
/** A relay that hibernates is slow to let go of the connection of a socket that it has closed. */
const CLOSE_MILLIS = 2_000;

const clock: Clock = {
  now: () => performance.now(),
  after: (milliseconds, call) => {
    const timer = setTimeout(call, milliseconds);
    return () => clearTimeout(timer);
  },
};

/** Where and with which headers a WebSocket is opened, once. */
interface Upgrade {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
}

export interface CarryOptions {
  /** The upgrade by which a session is taken up again that lost its connection. */
  readonly again: (session: string) => Promise<Upgrade>;
  readonly input: AsyncIterable<Uint8Array>;
  readonly output: Writable;
  readonly signal: AbortSignal;
  readonly settings: RelaySettings;
}

export interface RelayOptions extends CarryOptions {
  readonly upgrade: Upgrade;
  readonly input: Readable;
}

/**
 * Resolves when both ends have ended.
 * @throws {GolemError} what was answered instead of opening, or `relay_failed`
 */
export async function runRelay(options: RelayOptions): Promise<void> {
  await carry(await openRelay(options.upgrade, options.signal), options);
}

/** The bytes of a session whose socket is open. Ends as `runRelay` does. */
export async function carry(
  { socket, session }: OpenRelay,
  { again, input, output, signal, settings }: CarryOptions,
): Promise<void> {
  await pump({
    socket,
    source: input,
    sink: sinkOf(output),
    clock,
    signal,
    garbage: new Garbage(collectYoung),
    budget: new Budget(LIMITS.relay.budgetBytes, settings.windowBytes),
    ...(session === undefined
      ? {}
      : {
          redial: {
            connect: async (stopped) => (await openRelay(await again(session), stopped)).socket,
            graceMillis: settings.graceMillis,
            random: () => Math.random(),
          },
        }),
  });
}

export interface OpenRelay {
  readonly socket: FrameSocket;
  /** By which it can be taken up again, if the relay says so. */
  readonly session: string | undefined;
}

/** @throws {GolemError} what was answered instead of opening, or `relay_failed` */
export function openRelay({ url, headers }: Upgrade, signal: AbortSignal): Promise<OpenRelay> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url, {
      headers,
      perMessageDeflate: false,
      skipUTF8Validation: true,
      maxPayload: HEADER_BYTES + LIMITS.relay.payloadBytes,
      handshakeTimeout: OPEN_MILLIS,
      ...{ closeTimeout: CLOSE_MILLIS },
      ...(mayLeaveUnmasked(url) ? { generateMask: (mask: Buffer) => mask.fill(0) } : {}),
    });
    socket.binaryType = 'nodebuffer';
    // Frames may arrive with the upgrade itself, before anybody listens.
    const early: Early = { messages: [], violation: undefined };
    const keep = (...message: Message) => early.messages.push(message);
    socket.on('message', keep);
    const onAbort = () => socket.terminate();
    signal.addEventListener('abort', onAbort, { once: true });
    let session: string | undefined;
    socket.once('upgrade', (response) => {
      session = sessionIdSchema.safeParse(response.headers['golem-session']).data;
    });
    socket.once('unexpected-response', (_request, response) => {
      // Whoever listens for this has the connection to end, or the process waits for it.
      const connection = response.socket;
      refusalOf(response)
        .then(reject, reject)
        .finally(() => connection.destroy());
    });
    socket.on('error', (cause) => {
      if (isViolation(cause)) early.violation = cause.message;
      reject(
        new GolemError('relay_failed', `The relay cannot be reached: ${cause.message}.`, {
          hint: 'Check your network, and GOLEM_DISCOVERY.',
          cause,
        }),
      );
    });
    socket.once('open', () => {
      signal.removeEventListener('abort', onAbort);
      resolve({ session, socket: frameSocket(socket, early, keep) });
    });
  });
}

/** A socket that is open already, on either side of a relay. */
export function openSide(socket: WebSocket): OpenRelay {
  socket.binaryType = 'nodebuffer';
  const early: Early = { messages: [], violation: undefined };
  const keep = (...message: Message) => early.messages.push(message);
  socket.on('message', keep);
  return { session: undefined, socket: frameSocket(socket, early, keep) };
}

type Message = readonly [data: Buffer, isBinary: boolean];

/** What came before anybody listened. */
interface Early {
  readonly messages: Message[];
  /** How the other end broke the WebSocket protocol. */
  violation: string | undefined;
}

function frameSocket(
  socket: WebSocket,
  early: Readonly<Early>,
  keep: (...message: Message) => void,
): FrameSocket {
  return {
    send: (frame, left) => socket.send(frame, () => left?.()),
    ping: () => {
      if (socket.readyState === socket.OPEN) socket.ping();
    },
    close: (code, reason) => socket.close(code, reason),
    drop: () => socket.terminate(),
    listen: ({ message, alive, closed }) => {
      const refuse = (reason: string) => {
        socket.close(CLOSE.protocol.code, reason);
        closed(CLOSE.protocol.code, reason);
      };
      const take = (...[data, isBinary]: Message) => {
        if (isBinary) message(data);
        else refuse('a relay carries binary frames only');
      };
      socket.on('ping', alive);
      socket.on('pong', alive);
      socket.off('message', keep);
      for (const one of early.messages) take(...one);
      socket.on('message', take);
      // What `ws` itself refuses, such as a frame that is too large, ends as if the line was lost.
      socket.on('error', (error) => {
        if (isViolation(error)) refuse(error.message);
      });
      if (early.violation !== undefined) refuse(early.violation);
      socket.once('close', (code, reason) => closed(code, reason.toString()));
      if (socket.readyState === socket.CLOSED) closed(1006, '');
    },
  };
}

/** The other end broke the WebSocket protocol, or a bound that we gave it. */
function isViolation(error: Error): boolean {
  return 'code' in error && String(error.code).startsWith('WS_ERR_');
}

/**
 * Masks keep scripts in browsers from writing what a proxy in between takes for HTTP. There are
 * none here, and on TLS or the loopback interface there is no proxy either.
 */
function mayLeaveUnmasked(url: string): boolean {
  const { protocol, hostname } = new URL(url);
  return protocol === 'wss:' || ['127.0.0.1', '[::1]', 'localhost'].includes(hostname);
}

/** The relay answered with an error instead of opening. */
async function refusalOf(response: IncomingMessage): Promise<GolemError> {
  let text = '';
  for await (const chunk of response.setEncoding('utf8')) {
    text += String(chunk);
    if (text.length > MAX_REFUSAL_BYTES) break;
  }
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    // Not an error of ours; the status says what there is to say.
    body = undefined;
  }
  return (
    readErrorBody(body, response.statusCode) ??
    new GolemError('relay_failed', `The relay answered with status ${response.statusCode}.`)
  );
}

function sinkOf(output: Writable): ByteSink {
  return {
    write: (bytes) =>
      new Promise((resolve, reject) => {
        output.write(bytes, (error) => (error ? reject(error) : resolve()));
      }),
    end: () => new Promise((resolve) => output.end(resolve)),
  };
}
