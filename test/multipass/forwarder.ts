/** The address of an instance: one of the loopback's, whose SSH port leads to the guest. */
import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { pipeline } from 'node:stream/promises';

export interface ForwarderOptions {
  readonly port: number;
  readonly dial: (signal: AbortSignal) => Promise<Duplex>;
  /** The address it had before, if there was one. */
  readonly address: string | undefined;
}

/** More than there are free addresses in a range that nobody uses. */
const TRIES = 100;

export class Forwarder implements AsyncDisposable {
  readonly address: string;
  readonly #server: Server;
  readonly #sockets: ReadonlySet<Socket>;

  private constructor(server: Server, sockets: ReadonlySet<Socket>) {
    this.#server = server;
    this.#sockets = sockets;
    this.address = (server.address() as AddressInfo).address;
  }

  static async open({ port, dial, address }: ForwarderOptions): Promise<Forwarder> {
    const sockets = new Set<Socket>();
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      sockets.add(socket);
      socket.once('close', () => sockets.delete(socket)).on('error', () => undefined);
      dial(AbortSignal.timeout(10_000)).then(
        (guest) => {
          // A guest that ends, or a client that goes away, is what networks are like.
          pipeline(socket, guest, socket).catch(() => undefined);
        },
        () => socket.destroy(),
      );
    });
    for (let tries = 0; ; tries += 1) {
      try {
        const host = tries === 0 && address !== undefined ? address : randomAddress();
        server.listen(port, host);
        await once(server, 'listening');
        return new Forwarder(server, sockets);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE' || tries > TRIES) throw error;
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }
}

function randomAddress(): string {
  const byte = () => 1 + Math.floor(Math.random() * 250);
  return `127.77.${byte()}.${byte()}`;
}
