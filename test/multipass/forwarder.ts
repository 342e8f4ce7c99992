/** The address of an instance: one of the loopback's, whose SSH port leads to the guest. */
import type { Duplex } from 'node:stream';
import { DialServer } from '../../agent/src/drivers/conformance/dial-server.ts';

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
  readonly #server: DialServer;

  private constructor(server: DialServer) {
    this.#server = server;
    this.address = server.address.address;
  }

  static async open({ port, dial, address }: ForwarderOptions): Promise<Forwarder> {
    for (let tries = 0; ; tries += 1) {
      const host = tries === 0 && address !== undefined ? address : randomAddress();
      try {
        return new Forwarder(
          await DialServer.open({ host, port, dial: () => dial(AbortSignal.timeout(10_000)) }),
        );
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE' || tries > TRIES) throw error;
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server[Symbol.asyncDispose]();
  }
}

function randomAddress(): string {
  const byte = () => 1 + Math.floor(Math.random() * 250);
  return `127.77.${byte()}.${byte()}`;
}
