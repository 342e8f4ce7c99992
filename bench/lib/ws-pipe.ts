/** Standard input and output over a plain WebSocket, as websockify's clients do: `node ws-pipe.ts URL`. */
import { pipeline } from 'node:stream';
import { createWebSocketStream, WebSocket } from 'ws';

const socket = new WebSocket(process.argv[2] ?? '', ['binary'], { perMessageDeflate: false });
const stream = createWebSocketStream(socket);
pipeline(process.stdin, stream, process.stdout, (error) => {
  process.exitCode = error ? 1 : 0;
  socket.terminate();
});
