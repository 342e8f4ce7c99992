/** What the link does with its sockets, beside listening. */
import { CLOSE } from '@vm-on-golem/shared/closes';
import type { AgentMessage } from '@vm-on-golem/shared/control';
import type { GolemError } from '@vm-on-golem/shared/errors';
import type { Timers } from '@vm-on-golem/shared/stream/ports';
import type { WebSocket } from 'ws';
import { AGENT_LIMITS } from '../limits.ts';
import type { Ending } from './state.ts';

/** Resolves when the message has been written; a socket that is gone takes no messages. */
export function send(socket: WebSocket, message: AgentMessage): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.send(JSON.stringify(message), (error) => (error ? reject(error) : resolve()));
  });
}

/** What a close means, or a refusal of the upgrade. */
export function endingOf(code: number, refusal: GolemError | undefined): Ending {
  if (code === CLOSE.displaced.code || refusal?.code === 'duplicate_identity') return 'displaced';
  return code === CLOSE.drain.code ? 'drained' : 'lost';
}

/** Resolves when a socket that is closing is closed; one that takes its time is cut. */
export async function closedOrCut(socket: WebSocket, timers: Timers): Promise<void> {
  if (socket.readyState === socket.CLOSED) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  socket.once('close', () => resolve());
  const cancel = timers.after(AGENT_LIMITS.relay.closeMillis, () => socket.terminate());
  await promise;
  cancel();
}
