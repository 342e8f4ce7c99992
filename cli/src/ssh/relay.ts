/** A WebSocket to the relay, with the bytes of an SSH session on this side of it. */
import type { IncomingMessage } from 'node:http';
import type { Readable, Writable } from 'node:stream';
import { GolemError } from '@vm-on-golem/shared/errors';
import { LIMITS } from '@vm-on-golem/shared/limits';
import { HEADER_BYTES } from '@vm-on-golem/shared/stream/frame';
import { pump, type ByteSink, type FrameSocket } from '@vm-on-golem/shared/stream/pump';
import { WebSocket } from 'ws';

const OPEN_MILLIS = (LIMITS.relay.pairSeconds + 10) * 1000;
const MAX_REFUSAL_BYTES = 64 * 1024;

export interface RelayOptions {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly input: Readable;
  readonly output: Writable;
  readonly signal: AbortSignal;
}

/**
 * Resolves when both ends have ended.
 * @throws {GolemError} what was answered instead of opening, or `relay_failed`
 */
export async function runRelay({
  url,
  headers,
  input,
  output,
  signal,
}: RelayOptions): Promise<void> {
  const socket = await open(url, headers, signal);
  await pump({
    socket,
    source: input,
    sink: sinkOf(output),
    timers: {
      after: (milliseconds, call) => {
        const timer = setTimeout(call, milliseconds);
        return () => clearTimeout(timer);
      },
    },
    signal,
  });
}

function open(
  url: string,
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<FrameSocket> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url, {
      headers,
      perMessageDeflate: false,
      skipUTF8Validation: true,
      maxPayload: HEADER_BYTES + LIMITS.relay.payloadBytes,
      handshakeTimeout: OPEN_MILLIS,
      ...(mayLeaveUnmasked(url) ? { generateMask: (mask: Buffer) => mask.fill(0) } : {}),
    });
    socket.binaryType = 'nodebuffer';
    // Frames may arrive with the upgrade itself, before anybody listens.
    const early: Buffer[] = [];
    const keep = (data: Buffer) => early.push(data);
    socket.on('message', keep);
    const onAbort = () => socket.terminate();
    signal.addEventListener('abort', onAbort, { once: true });
    socket.once('unexpected-response', (_request, response) => {
      // Whoever listens for this has the connection to end, or the process waits for it.
      const connection = response.socket;
      refusalOf(response)
        .then(reject, reject)
        .finally(() => connection.destroy());
    });
    socket.once('error', (cause) => {
      reject(
        new GolemError('relay_failed', `The relay cannot be reached: ${cause.message}.`, {
          hint: 'Check your network, and GOLEM_DISCOVERY.',
          cause,
        }),
      );
    });
    socket.once('open', () => {
      signal.removeEventListener('abort', onAbort);
      resolve({
        send: (frame) => socket.send(frame),
        close: (code, reason) => socket.close(code, reason),
        listen: ({ message, closed }) => {
          socket.off('message', keep);
          for (const data of early) message(data);
          socket.on('message', message);
          socket.once('close', (code, reason) => closed(code, reason.toString()));
        },
      });
    });
  });
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
    GolemError.fromBody(body) ??
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
