/** Connections to where guests' SSH ports are: on TCP, or on a unix socket that leads there. */
import { once } from 'node:events';
import { connect, type NetConnectOpts, type Socket } from 'node:net';
import { DriverError } from './driver.ts';

/**
 * @param signal ends the wait for the connection alone: the stream outlives it
 * @throws {DriverError} `aborted` | `failed`
 */
export function dialTcp(host: string, port: number, signal: AbortSignal): Promise<Socket> {
  return dial({ host, port, noDelay: true }, signal);
}

/** As `dialTcp`. */
export function dialUnix(path: string, signal: AbortSignal): Promise<Socket> {
  return dial({ path }, signal);
}

async function dial(address: NetConnectOpts, signal: AbortSignal): Promise<Socket> {
  const socket = connect(address);
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
