/**
 * One control connection: answers what the hub asks over it, and says how it goes. What follows for the
 * provider is for the link.
 */
import { CLOSE } from '@vm-on-golem/shared/closes';
import {
  parseHubMessage,
  TEXT_PING,
  TEXT_PONG,
  type AgentMessage,
  type HubMessage,
} from '@vm-on-golem/shared/control';
import { GolemError } from '@vm-on-golem/shared/errors';
import type { Timers } from '@vm-on-golem/shared/stream/ports';
import type { Logger } from 'pino';
import type { RawData, WebSocket } from 'ws';
import { AGENT_LIMITS } from '../limits.ts';
import { Requests, type LinkHandlers } from './requests.ts';
import type { Ending, Farewell } from './state.ts';
import { readRefusal } from './upgrade.ts';

/** What the hub says of the connection itself. */
export type HubNotice = Extract<HubMessage, { type: 'welcome' | 'drain' }>;

export interface LineOptions {
  /** Not yet open. */
  readonly socket: WebSocket;
  readonly handlers: LinkHandlers;
  readonly log: Logger;
  readonly opened: () => void;
  /** Anything at all came from the hub. */
  readonly heard: () => void;
  readonly noticed: (notice: HubNotice) => void;
  /**
   * Called once, whether or not it was ever open.
   * @param waitMillis the least that the hub wants us to wait
   */
  readonly closed: (why: Ending, waitMillis: number) => void;
}

export class Line {
  readonly #socket: WebSocket;
  readonly #options: LineOptions;
  readonly #requests: Requests;
  #refusal: GolemError | undefined;

  constructor(options: LineOptions) {
    const { socket, log, opened, heard } = options;
    this.#options = options;
    this.#socket = socket;
    this.#requests = new Requests(options.handlers, (message) => this.send(message));
    socket.on('open', opened);
    socket.on('pong', heard);
    socket.on('ping', heard);
    socket.on('message', (data, isBinary) => {
      heard();
      this.#received(data, isBinary);
    });
    socket.on('unexpected-response', (request, response) => {
      void readRefusal(response).then((error) => {
        this.#refusal = error;
        request.destroy();
        socket.terminate();
      });
    });
    socket.on('error', (error) => {
      if (!this.#refusal) log.warn({ err: error }, 'the control connection failed');
    });
    socket.on('close', (code, reason) => this.#closed(code, reason.toString()));
  }

  /** Resolves when the message has been written; a socket that is gone takes no messages. */
  send(message: AgentMessage): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#socket.send(JSON.stringify(message), (error) => (error ? reject(error) : resolve()));
    });
  }

  ping(): void {
    this.#socket.ping();
  }

  /** One that is answered without waking the hub. */
  textPing(): void {
    this.#socket.send(TEXT_PING);
  }

  /** Resolves when everything that has come is answered. */
  idle(): Promise<void> {
    return this.#requests.idle();
  }

  close(close: Farewell): void {
    this.#requests.cancelAll();
    // A peer that says nothing will not answer a close either.
    if (close === CLOSE.silent) this.#socket.terminate();
    else this.#socket.close(close.code, close.reason);
  }

  /** Resolves when a line that is closing is closed; one that takes its time is cut. */
  async closedOrCut(timers: Timers): Promise<void> {
    const socket = this.#socket;
    if (socket.readyState === socket.CLOSED) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    socket.once('close', () => resolve());
    const cancel = timers.after(AGENT_LIMITS.relay.closeMillis, () => socket.terminate());
    await promise;
    cancel();
  }

  #received(data: RawData, isBinary: boolean): void {
    let message: HubMessage | undefined;
    try {
      if (isBinary) throw new GolemError('invalid_request', 'The hub sent bytes instead of text.');
      // `ws` gives one buffer, as its `binaryType` is left alone.
      const text = (data as Buffer).toString('utf8');
      if (text === TEXT_PONG) return;
      message = parseHubMessage(text);
    } catch (error) {
      if (!(error instanceof GolemError)) throw error;
      this.#options.log.error({ err: error }, 'the hub broke the protocol');
      this.#socket.close(CLOSE.protocol.code, error.message.slice(0, 120));
      return;
    }
    if (message) this.#dispatch(message);
  }

  #dispatch(message: HubMessage): void {
    const { handlers, log, noticed } = this.#options;
    switch (message.type) {
      case 'welcome':
      case 'drain':
        return noticed(message);
      case 'request':
      case 'relay.open':
        this.#requests.take(message).catch((error: unknown) => {
          log.warn({ err: error, request: message.id }, 'an answer could not be sent');
        });
        return;
      case 'relay.resume':
        return handlers.relayResume(message.session);
      case 'cancel':
        return this.#requests.cancel(message.id);
    }
  }

  #closed(code: number, reason: string): void {
    const { log, closed } = this.#options;
    const refusal = this.#refusal;
    this.#requests.cancelAll();
    if (refusal) log.warn({ err: refusal, hint: refusal.hint }, 'discovery refused us');
    else log.info({ code, reason }, 'the control connection was closed');
    closed(endingOf(code, refusal), (refusal?.retryAfter ?? 0) * 1000);
  }
}

/** What a close means, or a refusal of the upgrade. */
function endingOf(code: number, refusal: GolemError | undefined): Ending {
  if (code === CLOSE.displaced.code || refusal?.code === 'duplicate_identity') return 'displaced';
  return code === CLOSE.drain.code ? 'drained' : 'lost';
}
