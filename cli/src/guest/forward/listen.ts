/** Ports of this machine whose connections are made by a guest. */
import { createServer, type AddressInfo, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { GolemError } from '@vm-on-golem/shared/errors';
import { GUEST_LIMITS } from '../limits.ts';
import { addressText, type ForwardSpec } from './spec.ts';

export interface Listening extends AsyncDisposable {
  /** Where it listens in fact. */
  readonly bind: string;
  readonly port: number;
}

/**
 * @param reach a connection of the guest to there
 * @param failed is told of a connection that could not be made; the one on this side is reset
 * @throws {GolemError} `usage` for a port that is taken or may not be used
 */
export async function listen(
  { bind, port, host, hostPort }: ForwardSpec,
  reach: (host: string, port: number) => Promise<Duplex>,
  failed: (error: unknown) => void,
): Promise<Listening> {
  const sockets = new Set<Socket>();
  // Nothing is read before somebody there takes it.
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    socket.on('error', () => undefined);
    reach(host, hostPort).then(
      (channel) => join(socket, channel),
      (error: unknown) => {
        socket.resetAndDestroy();
        failed(error);
      },
    );
  });
  server.maxConnections = GUEST_LIMITS.forwardedConnections;
  let isTold = false;
  server.on('drop', () => {
    // Once: whoever floods the port does not flood the terminal.
    if (isTold) return;
    isTold = true;
    const where = addressText(bind, port);
    failed(new GolemError('rate_limited', `${where} has ${server.maxConnections} already.`));
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      reject(
        new GolemError('usage', `Nobody can listen on ${addressText(bind, port)}: ${cause.code}.`, {
          hint: 'Take another port, or 0 for any that is free.',
          cause,
        }),
      );
    });
    server.listen({ host: bind, port }, resolve);
  });
  const address = server.address() as AddressInfo;
  return {
    bind: address.address,
    port: address.port,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

/** Each direction ends by itself; what breaks on one side breaks the other. */
function join(socket: Socket, channel: Duplex): void {
  channel.on('error', () => socket.destroy());
  socket.on('error', () => channel.destroy());
  channel.once('close', () => socket.destroySoon());
  socket.once('close', () => channel.destroy());
  socket.pipe(channel);
  channel.pipe(socket);
}
