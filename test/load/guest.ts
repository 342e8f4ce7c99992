/**
 * What sessions are opened to when SSH is not the point: a TCP server that says `READY`, and then
 * does what the first line of a connection asks for.
 */
import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';

/** `echo` sends back what comes, `pour` sends without end, `hold` reads nothing. */
export type Behaviour = 'echo' | 'pour' | 'hold';

export interface Guest extends AsyncDisposable {
  readonly port: number;
  /** Connections of this moment. */
  readonly open: number;
  /** Hangs up on all of them. */
  hangUp(): void;
  /** Bytes that `pour` got rid of, into the agent or a buffer on the way. */
  readonly poured: number;
}

export const READY = 'ready\n';
const CHUNK = Buffer.alloc(64 * 1024, 'pour');
const LONGEST_LINE = 16;

export async function startGuest(): Promise<Guest> {
  const sockets = new Set<Socket>();
  let poured = 0;

  const pour = async (socket: Socket) => {
    while (!socket.destroyed) {
      const isTaken = socket.write(CHUNK, () => (poured += CHUNK.length));
      if (!isTaken) await once(socket, 'drain');
    }
  };
  const serve = async (socket: Socket) => {
    const line = await firstLine(socket);
    socket.write(READY);
    switch (line) {
      case 'echo':
        socket.pipe(socket);
        return;
      case 'pour':
        socket.resume();
        return pour(socket);
      case 'hold':
        return;
      default:
        throw new Error(`the guest was asked for ${JSON.stringify(line)}`);
    }
  };

  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    socket.on('error', () => socket.destroy());
    serve(socket).catch((error: unknown) => socket.destroy(error as Error));
  });
  const hangUp = () => {
    for (const socket of sockets) socket.destroy();
  };
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    get open() {
      return sockets.size;
    },
    get poured() {
      return poured;
    },
    hangUp,
    [Symbol.asyncDispose]: async () => {
      hangUp();
      server.close();
      await once(server, 'close');
    },
  };
}

/** Reads the line and not one byte more, and leaves the socket paused. */
async function firstLine(socket: Socket): Promise<string> {
  let line = '';
  for (;;) {
    const byte = socket.read(1) as Buffer | null;
    if (byte === null) {
      await once(socket, 'readable');
      continue;
    }
    if (byte.toString() === '\n') return line;
    line += byte.toString();
    if (line.length > LONGEST_LINE) throw new Error('the first line does not end');
  }
}
