/** A discovery service that a test plays by hand: real HTTP, real WebSockets, nothing behind them. */
import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { paths } from '@vm-on-golem/shared/api';
import {
  CONTROL_PROTOCOL,
  parseAgentMessage,
  type AgentMessage,
  type HubMessage,
} from '@vm-on-golem/shared/control';
import { signedHeadersOf, verifyRequest, type VerifiedRequest } from '@vm-on-golem/shared/signing';
import { WebSocketServer, type WebSocket } from 'ws';

/** One WebSocket that an agent has opened. */
export class Wire {
  readonly socket: WebSocket;
  readonly path: string;
  readonly proof: VerifiedRequest;
  /** Below the WebSocket, for what no library sends. */
  readonly tcp: Duplex;
  readonly #inbox: string[] = [];
  #arrived = Promise.withResolvers<void>();

  constructor(socket: WebSocket, path: string, proof: VerifiedRequest, tcp: Duplex) {
    this.socket = socket;
    this.tcp = tcp;
    this.path = path;
    this.proof = proof;
    // What carries frames is for the test to read.
    if (path.startsWith(paths.relay(''))) socket.pause();
    else this.#listen();
  }

  #listen(): void {
    this.socket.on('message', (data) => {
      this.#inbox.push((data as Buffer).toString('utf8'));
      this.#arrived.resolve();
    });
  }

  send(message: HubMessage): void {
    this.socket.send(JSON.stringify(message));
  }

  welcome(now: () => number = Date.now): void {
    const time = new Date(now()).toISOString();
    this.send({ type: 'welcome', country: 'unknown', asn: null, time });
  }

  /** The next text, in the order in which they came. */
  async text(): Promise<string> {
    for (;;) {
      const next = this.#inbox.shift();
      if (next !== undefined) return next;
      this.#arrived = Promise.withResolvers();
      await this.#arrived.promise;
    }
  }

  async message<Type extends AgentMessage['type']>(
    type: Type,
  ): Promise<Extract<AgentMessage, { type: Type }>> {
    const message = parseAgentMessage(await this.text());
    if (message?.type !== type) throw new Error(`${message?.type} instead of ${type}`);
    return message as Extract<AgentMessage, { type: Type }>;
  }

  get unread(): number {
    return this.#inbox.length;
  }

  /** @returns code and reason */
  async closed(): Promise<{ code: number; reason: string }> {
    const [code, reason] = (await once(this.socket, 'close')) as [number, Buffer];
    return { code, reason: reason.toString() };
  }
}

export class Hub implements AsyncDisposable {
  readonly url: string;
  /** Answers the next upgrades instead of opening them. */
  refuse: { readonly status: number; readonly body: string } | undefined;
  readonly #server: ReturnType<typeof createServer>;
  readonly #sockets: WebSocketServer;
  readonly #now: () => number;
  readonly #waiting: Wire[] = [];
  #arrived = Promise.withResolvers<void>();
  /** Upgrades so far, refused ones included. */
  upgrades = 0;

  private constructor(
    server: ReturnType<typeof createServer>,
    sockets: WebSocketServer,
    now: () => number,
  ) {
    this.#server = server;
    this.#sockets = sockets;
    this.#now = now;
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    server.on('upgrade', (request, socket, head) => void this.#upgrade(request, socket, head));
  }

  static async start(options: { now?: () => number; autoPong?: boolean; port?: number } = {}) {
    const { now = Date.now, autoPong = true, port = 0 } = options;
    const server = createServer(({ url }, response) =>
      response.writeHead(url === '/healthz' ? 200 : 404).end(),
    );
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    const handleProtocols = (protocols: Set<string>) =>
      protocols.has(CONTROL_PROTOCOL) ? CONTROL_PROTOCOL : false;
    const sockets = new WebSocketServer({ noServer: true, autoPong, handleProtocols });
    return new Hub(server, sockets, now);
  }

  /** The next connection that is opened. */
  async connection(): Promise<Wire> {
    for (;;) {
      const next = this.#waiting.shift();
      if (next) return next;
      this.#arrived = Promise.withResolvers();
      await this.#arrived.promise;
    }
  }

  async #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    this.upgrades += 1;
    if (this.refuse) {
      const { status, body } = this.refuse;
      socket.end(`HTTP/1.1 ${status} No\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
      this.#arrived.resolve();
      return;
    }
    const { url = '' } = request;
    const headers = signedHeadersOf(new Headers(request.headers as Record<string, string>));
    const wire = { method: 'GET', url: new URL(url, this.url).href, headers, body: '' };
    const proof = await verifyRequest(wire, { now: this.#now });
    this.#sockets.handleUpgrade(request, socket, head, (opened) => {
      this.#waiting.push(new Wire(opened, url, proof, socket));
      this.#arrived.resolve();
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#server.listening) return;
    for (const socket of this.#sockets.clients) socket.terminate();
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }
}

/** Timers that run when a test puts the clock forward. */
export class ManualTime {
  #now = Date.UTC(2026, 0, 1);
  readonly #calls = new Set<{ readonly at: number; readonly call: () => void }>();
  readonly now = (): number => this.#now;

  readonly after = (milliseconds: number, call: () => void): (() => void) => {
    const entry = { at: this.#now + milliseconds, call };
    this.#calls.add(entry);
    return () => this.#calls.delete(entry);
  };

  /** Goes to what is due next, and runs it. */
  next(): void {
    const due = Math.min(...[...this.#calls].map(({ at }) => at));
    this.advance(Math.max(0, due - this.#now));
  }

  /** Runs whatever is due on the way, in order. */
  advance(millis: number): void {
    const end = this.#now + millis;
    for (;;) {
      const next = [...this.#calls].filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
      if (!next) break;
      this.#calls.delete(next);
      this.#now = Math.max(this.#now, next.at);
      next.call();
    }
    this.#now = end;
  }
}
