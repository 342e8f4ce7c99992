/** The agent's leg of a relay session: a WebSocket to the configured discovery, as frames. */
import { paths } from '@vm-on-golem/shared/api';
import { CLOSE } from '@vm-on-golem/shared/closes';
import { GolemError } from '@vm-on-golem/shared/errors';
import { LIMITS } from '@vm-on-golem/shared/limits';
import { HEADER_BYTES } from '@vm-on-golem/shared/stream/frame';
import type { FrameSocket } from '@vm-on-golem/shared/stream/ports';
import type { RawData, WebSocket } from 'ws';
import { AGENT_LIMITS } from '../limits.ts';
import { openSocket, readRefusal, type UpgradeOptions } from '../link/upgrade.ts';

/** @throws {GolemError} what discovery answered, `relay_failed`, or whatever `signal` says. */
export async function openLeg(
  upgrade: UpgradeOptions,
  session: string,
  signal: AbortSignal,
): Promise<WebSocket> {
  signal.throwIfAborted();
  const socket = await openSocket(upgrade, {
    path: paths.relay(session),
    maxPayload: LIMITS.relay.payloadBytes + HEADER_BYTES,
    timeoutMillis: AGENT_LIMITS.relay.legMillis,
  });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const onAbort = () => reject(signal.reason as Error);
  signal.addEventListener('abort', onAbort, { once: true });
  if (signal.aborted) onAbort();
  socket.once('open', () => {
    // Nothing may come before somebody listens: see `frameSocket`.
    socket.pause();
    resolve();
  });
  socket.once('unexpected-response', (_request, response) => {
    readRefusal(response).then(reject, reject);
  });
  socket.on('error', (cause) =>
    reject(new GolemError('relay_failed', 'The relay cannot be reached.', { cause })),
  );
  try {
    await promise;
    return socket;
  } catch (error) {
    socket.terminate();
    throw error;
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

/** A paused socket as the stream wants it: it runs from the moment that there are handlers. */
export function frameSocket(socket: WebSocket): FrameSocket {
  return {
    // What could not be sent is lost with the socket, whose close says so.
    send: (frame, left) => socket.send(frame, () => left?.()),
    ping: () => {
      if (socket.readyState === socket.OPEN) socket.ping();
    },
    close: (code, reason) => socket.close(code, reason),
    drop: () => socket.terminate(),
    listen({ message, alive, closed }) {
      const refuse = (reason: string) => {
        socket.close(CLOSE.protocol.code, reason);
        closed(CLOSE.protocol.code, reason);
      };
      socket.on('ping', alive);
      socket.on('pong', alive);
      socket.on('message', (data, isBinary) => {
        if (isBinary) message(bytesOf(data));
        else refuse('a relay carries binary frames only');
      });
      // What `ws` itself refuses, such as a frame that is too large, ends as if the line was lost.
      socket.on('error', (error) => {
        if (isViolation(error)) refuse(error.message);
      });
      socket.on('close', (code, reason) => closed(code, reason.toString()));
      if (socket.readyState === socket.CLOSED) closed(1006, '');
      socket.resume();
    },
  };
}

/** The other end broke the WebSocket protocol, or a bound that we gave it. */
function isViolation(error: Error): boolean {
  return 'code' in error && String(error.code).startsWith('WS_ERR_');
}

function bytesOf(data: RawData): Uint8Array {
  if (data instanceof ArrayBuffer) return new Uint8Array(data);
  return Array.isArray(data) ? Buffer.concat(data) : data;
}
