/**
 * The one connection that a provider holds: outbound, to its hub. A thin shell around `machine.ts`;
 * what a message means is for `LinkHandlers`.
 */
import { paths } from '@vm-on-golem/shared/api';
import { CLOSE } from '@vm-on-golem/shared/closes';
import {
  CONTROL_PROTOCOL,
  parseHubMessage,
  TEXT_PING,
  TEXT_PONG,
  type HubMessage,
} from '@vm-on-golem/shared/control';
import { GolemError } from '@vm-on-golem/shared/errors';
import { LIMITS } from '@vm-on-golem/shared/limits';
import type { SignedOffer } from '@vm-on-golem/shared/offer';
import type { Timers } from '@vm-on-golem/shared/stream/ports';
import type { Logger } from 'pino';
import type { RawData, WebSocket } from 'ws';
import { AGENT_LIMITS } from '../limits.ts';
import { Advertiser } from './advertiser.ts';
import { dueAt, reduce } from './machine.ts';
import { Requests, type LinkHandlers } from './requests.ts';
import { closedOrCut, endingOf, send } from './sockets.ts';
import {
  INITIAL,
  phaseOf,
  type LinkEffect,
  type LinkEvent,
  type LinkPhase,
  type LinkState,
} from './state.ts';
import { openSocket, readRefusal, type UpgradeOptions } from './upgrade.ts';

export interface LinkOptions extends UpgradeOptions {
  readonly handlers: LinkHandlers;
  /** A new, signed offer of what there is now. */
  readonly offer: () => Promise<SignedOffer>;
  readonly timers: Timers;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly log: Logger;
  /** The hub has listed us: the first time, and after every reconnect. */
  readonly connected: (address: string | undefined) => void;
}

interface Line {
  readonly socket: WebSocket;
  readonly requests: Requests;
}

export class Link {
  readonly #options: LinkOptions;
  readonly #lines = new Map<number, Line>();
  readonly #ended = Promise.withResolvers<void>();
  #state: LinkState = INITIAL;
  #cancelTick: (() => void) | undefined;
  readonly #advertiser: Advertiser;

  constructor(options: LinkOptions) {
    this.#options = options;
    this.#advertiser = new Advertiser({
      ...options,
      send: async (number, offer) => {
        const line = this.#lines.get(number);
        if (line) await send(line.socket, { type: 'offer', offer });
      },
    });
  }

  get phase(): LinkPhase {
    return phaseOf(this.#state);
  }

  /** When the connection that serves was welcomed, in milliseconds since 1970. */
  get since(): number | undefined {
    return this.#state.serving?.since;
  }

  /** Keeps the connection until `signal`, whatever happens. */
  async run(signal: AbortSignal): Promise<void> {
    const stop = () => {
      this.#advertiser[Symbol.dispose]();
      this.#happened({ kind: 'stopped' });
      this.#ended.resolve();
    };
    signal.addEventListener('abort', stop, { once: true });
    this.#happened({ kind: 'started', now: this.#options.now() });
    if (signal.aborted) stop();
    await this.#ended.promise;
    await Promise.all(
      [...this.#lines.values()].map(({ socket }) => closedOrCut(socket, this.#options.timers)),
    );
  }

  /** The offer is not what it was. */
  offerChanged(): void {
    if (this.#state.stopped) return;
    this.#advertiser.changed(() => {
      const { serving, seeking } = this.#state;
      return [
        ...(serving ? [serving.socket] : []),
        ...(seeking?.phase === 'greeting' ? [seeking.socket] : []),
      ];
    });
  }

  #happened(event: LinkEvent): void {
    const before = this.phase;
    const { state, effects } = reduce(this.#state, event, this.#options.random);
    this.#state = state;
    for (const effect of effects) this.#perform(effect);
    const after = this.phase;
    if (after !== before) this.#options.log.info({ was: before, is: after }, 'link');
    this.#cancelTick?.();
    this.#cancelTick = undefined;
    const due = dueAt(this.#state);
    if (due === null) return;
    const { now, timers } = this.#options;
    this.#cancelTick = timers.after(Math.max(0, due - now()), () =>
      this.#happened({ kind: 'ticked', now: now() }),
    );
  }

  #perform(effect: LinkEffect): void {
    const line = this.#lines.get(effect.socket);
    switch (effect.kind) {
      case 'open':
        return this.#open(effect.socket);
      case 'offer':
        return this.#advertiser.advertise(effect.socket);
      case 'ping':
        return line?.socket.ping();
      case 'text-ping':
        return line?.socket.send(TEXT_PING);
      case 'leave':
        void line?.requests.idle().then(() => {
          this.#happened({ kind: 'idle', socket: effect.socket });
        });
        return;
      case 'close':
        if (!line) return;
        line.requests.cancelAll();
        // A peer that says nothing will not answer a close either.
        if (effect.close === CLOSE.silent) line.socket.terminate();
        else line.socket.close(effect.close.code, effect.close.reason);
    }
  }

  #open(number: number): void {
    openSocket(this.#options, {
      path: paths.agent,
      protocol: CONTROL_PROTOCOL,
      maxPayload: LIMITS.control.messageBytes,
      timeoutMillis: AGENT_LIMITS.link.connectMillis,
      ipv4First: true,
    }).then(
      (socket) => {
        if (this.#state.stopped) socket.terminate();
        else this.#attach(number, socket);
      },
      (error: unknown) => this.#lost(number, error),
    );
  }

  #attach(number: number, socket: WebSocket): void {
    const { now, log, handlers } = this.#options;
    const requests = new Requests(handlers, (message) => send(socket, message));
    this.#lines.set(number, { socket, requests });
    let refusal: GolemError | undefined;
    const heard = () => this.#happened({ kind: 'heard', socket: number, now: now() });

    socket.on('open', () => this.#happened({ kind: 'opened', socket: number, now: now() }));
    socket.on('pong', heard);
    socket.on('ping', heard);
    socket.on('message', (data, isBinary) => {
      heard();
      this.#received(number, data, isBinary);
    });
    socket.on('unexpected-response', (request, response) => {
      void readRefusal(response).then((error) => {
        refusal = error;
        request.destroy();
        socket.terminate();
      });
    });
    socket.on('error', (error) => {
      if (!refusal) log.warn({ err: error }, 'the control connection failed');
    });
    socket.on('close', (code, reason) => {
      this.#lines.delete(number);
      requests.cancelAll();
      if (refusal) log.warn({ err: refusal, hint: refusal.hint }, 'discovery refused us');
      else log.info({ code, reason: reason.toString() }, 'the control connection was closed');
      const why = endingOf(code, refusal);
      if (why === 'displaced' && this.#state.serving?.socket === number && !this.#state.seeking) {
        log.error('another agent with the same key took over; it has to be stopped, or this one');
      }
      this.#happened({
        kind: 'closed',
        socket: number,
        why,
        waitMillis: (refusal?.retryAfter ?? 0) * 1000,
        now: now(),
      });
    });
  }

  #lost(number: number, error: unknown): void {
    const { now, log } = this.#options;
    log.error({ err: error }, 'a control connection could not be opened');
    this.#happened({ kind: 'closed', socket: number, why: 'lost', waitMillis: 0, now: now() });
  }

  #received(number: number, data: RawData, isBinary: boolean): void {
    const line = this.#lines.get(number);
    if (!line) return;
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
      line.socket.close(CLOSE.protocol.code, error.message.slice(0, 120));
      return;
    }
    if (message) this.#dispatch(number, line, message);
  }

  #dispatch(number: number, { requests }: Line, message: HubMessage): void {
    const { now, log } = this.#options;
    switch (message.type) {
      case 'welcome': {
        const skew = Math.round((now() - Date.parse(message.time)) / 1000);
        if (Math.abs(skew) > LIMITS.signature.clockSkewSeconds / 2) {
          log.warn({ skewSeconds: skew }, "this machine's clock is off; set it by NTP");
        }
        const isNew = this.#state.seeking?.phase === 'greeting';
        this.#happened({ kind: 'welcomed', socket: number, now: now() });
        if (isNew) this.#options.connected(message.address);
        return;
      }
      case 'request':
      case 'relay.open':
        requests.take(message).catch((error: unknown) => {
          log.warn({ err: error, request: message.id }, 'an answer could not be sent');
        });
        return;
      case 'relay.resume':
        return this.#options.handlers.relayResume(message.session);
      case 'cancel':
        return requests.cancel(message.id);
      case 'drain':
        log.info({ reason: message.reason }, 'the hub drains');
        return this.#happened({ kind: 'drained', socket: number, now: now() });
    }
  }
}
