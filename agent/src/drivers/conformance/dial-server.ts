/** A TCP server each connection of which is one dialled stream. */
import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { pipeline } from 'node:stream/promises';

export interface DialServerOptions {
  readonly dial: () => Promise<Duplex>;
  readonly host: string;
  /** 0 for one that is free. */
  readonly port: number;
}

export class DialServer implements AsyncDisposable {
  readonly address: AddressInfo;
  readonly #server: Server;
  readonly #sockets: ReadonlySet<Socket>;

  private constructor(server: Server, sockets: ReadonlySet<Socket>) {
    this.#server = server;
    this.#sockets = sockets;
    this.address = server.address() as AddressInfo;
  }

  /** @throws what listening does, `EADDRINUSE` above all */
  static async open({ dial, host, port }: DialServerOptions): Promise<DialServer> {
    const sockets = new Set<Socket>();
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      sockets.add(socket);
      socket.once('close', () => sockets.delete(socket)).on('error', () => undefined);
      dial().then(
        (stream) => {
          // Either side may go at any time: the client says what became of it.
          pipeline(socket, stream, socket).catch(() => undefined);
        },
        (error: Error) => socket.destroy(error),
      );
    });
    server.listen(port, host);
    await once(server, 'listening');
    return new DialServer(server, sockets);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }
}
