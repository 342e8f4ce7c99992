/** The control sockets of a hub: whose they are, and when they were last heard. */
import type { HubMessage } from '@vm-on-golem/shared/control';

/** Whose a socket is; on the socket itself, so that it survives hibernation. */
export interface Owner {
  readonly provider: string;
  readonly connection: string;
}

interface Attachment extends Owner {
  readonly since: number;
  readonly address: string;
}

type Context = Pick<
  DurableObjectState,
  'acceptWebSocket' | 'getWebSockets' | 'getWebSocketAutoResponseTimestamp'
>;

export class Sockets {
  readonly #ctx: Context;
  /** Last message by connection, beside the pings that the platform keeps the time of. */
  readonly #heard = new Map<string, number>();

  constructor(ctx: Context) {
    this.#ctx = ctx;
  }

  /** @returns the agent's end of a new socket. */
  accept({ provider, connection }: Owner, address: string, now: number): WebSocket {
    const { 0: client, 1: server } = new WebSocketPair();
    const attachment: Attachment = { provider, connection, address, since: now };
    server.serializeAttachment(attachment);
    this.#ctx.acceptWebSocket(server, [provider]);
    return client;
  }

  ownerOf(socket: WebSocket): Owner {
    return attachmentOf(socket);
  }

  /** Where it comes from. @returns undefined when nobody knows */
  addressOf(socket: WebSocket): string | undefined {
    const { address } = attachmentOf(socket);
    return address === 'unknown' ? undefined : address;
  }

  /** The tag keeps this from waking the sockets of all other providers. */
  find(provider: string, connection: string | null): WebSocket | undefined {
    if (connection === null) return undefined;
    return this.#ctx
      .getWebSockets(provider)
      .find(
        (socket) =>
          attachmentOf(socket).connection === connection && socket.readyState === WebSocket.OPEN,
      );
  }

  heard(connection: string, now: number): void {
    this.#heard.set(connection, now);
  }

  /** In milliseconds since 1970. */
  heardAt(socket: WebSocket): number {
    const { connection, since } = attachmentOf(socket);
    const ping = this.#ctx.getWebSocketAutoResponseTimestamp(socket)?.getTime() ?? 0;
    return Math.max(since, ping, this.#heard.get(connection) ?? 0);
  }

  forget(connection: string): void {
    this.#heard.delete(connection);
  }
}

function attachmentOf(socket: WebSocket): Attachment {
  return socket.deserializeAttachment() as Attachment;
}

/** A socket that is gone is told nothing. */
export function tell(socket: WebSocket | undefined, message: HubMessage): void {
  socket?.send(JSON.stringify(message));
}
