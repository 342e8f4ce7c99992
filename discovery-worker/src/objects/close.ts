import { utf8 } from '@vm-on-golem/shared/encoding';
import { CLOSE } from '@vm-on-golem/shared/closes';

/** As much as a close frame holds beside its code. */
const MAX_REASON_BYTES = 123;

/** Closes with a code that may be sent and a reason that fits; closing twice is nothing. */
export function closeSocket(socket: WebSocket, code: number, reason: string): void {
  if (socket.readyState === WebSocket.CLOSED) return;
  // 1005, 1006 and 1015 say what was not received; nobody may send them.
  const sendable = code === 1000 || (code >= 3000 && code <= 4999) ? code : CLOSE.peerGone.code;
  socket.close(sendable, truncated(reason));
}

function truncated(reason: string): string {
  const bytes = utf8(reason);
  if (bytes.length <= MAX_REASON_BYTES) return reason;
  // Whole characters only: a cut one decodes to a replacement mark, which is dropped.
  return new TextDecoder().decode(bytes.subarray(0, MAX_REASON_BYTES)).replace(/\uFFFD$/, '');
}
