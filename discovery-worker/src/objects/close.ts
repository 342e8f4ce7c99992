import { CLOSE, closeReason } from '@vm-on-golem/shared/closes';

/** Closes with a code that may be sent and a reason that can be; closing twice is nothing. */
export function closeSocket(socket: WebSocket, code: number, reason: string): void {
  if (socket.readyState === WebSocket.CLOSED) return;
  // 1005, 1006 and 1015 say what was not received; nobody may send them.
  const sendable = code === 1000 || (code >= 3000 && code <= 4999) ? code : CLOSE.peerGone.code;
  socket.close(sendable, closeReason(reason));
}
