/** A TCP connection to where a guest's SSH port is. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { DriverError } from './driver.ts';

/**
 * @param signal ends the wait for the connection alone: the stream outlives it
 * @throws {DriverError} `aborted` | `failed`
 */
export async function dialTcp(host: string, port: number, signal: AbortSignal): Promise<Socket> {
  const socket = connect({ host, port, noDelay: true });
  try {
    await once(socket, 'connect', { signal });
    return socket;
  } catch (cause) {
    socket.destroy();
    throw new DriverError(
      signal.aborted ? 'aborted' : 'failed',
      'The guest does not take connections.',
      { cause },
    );
  }
}
