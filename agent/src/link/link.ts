/**
 * The one connection that a provider holds: outbound, to its hub. A thin shell around `machine.ts`;
 * what a message means is for `LinkHandlers`.
 */
import { paths } from '@vm-on-golem/shared/api';
import { CONTROL_PROTOCOL } from '@vm-on-golem/shared/control';
import { LIMITS } from '@vm-on-golem/shared/limits';
import type { SignedOffer } from '@vm-on-golem/shared/offer';
import type { Timers } from '@vm-on-golem/shared/stream/ports';
import type { Logger } from 'pino';
import type { WebSocket } from 'ws';
import { AGENT_LIMITS } from '../limits.ts';
import { Advertiser } from './advertiser.ts';
import { Line, type HubNotice } from './line.ts';
import { dueAt, reduce } from './machine.ts';
import type { LinkHandlers } from './requests.ts';
import {
  INITIAL,
  phaseOf,
  type LinkEffect,
  type LinkEvent,
  type LinkPhase,
  type LinkState,
} from './state.ts';
import { openSocket, type UpgradeOptions } from './upgrade.ts';

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
        await this.#lines.get(number)?.send({ type: 'offer', offer });
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
    const { timers } = this.#options;
    await Promise.all([...this.#lines.values()].map((line) => line.closedOrCut(timers)));
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
        return line?.ping();
      case 'text-ping':
        return line?.textPing();
      case 'leave':
        void line?.idle().then(() => {
          this.#happened({ kind: 'idle', socket: effect.socket });
        });
        return;
      case 'close':
        return line?.close(effect.close);
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
    const line = new Line({
      ...{ socket, handlers, log },
      opened: () => this.#happened({ kind: 'opened', socket: number, now: now() }),
      heard: () => this.#happened({ kind: 'heard', socket: number, now: now() }),
      noticed: (notice) => this.#noticed(number, notice),
      closed: (why, waitMillis) => {
        this.#lines.delete(number);
        if (why === 'displaced' && this.#state.serving?.socket === number && !this.#state.seeking) {
          log.error('another agent with the same key took over; it has to be stopped, or this one');
        }
        this.#happened({ kind: 'closed', socket: number, why, waitMillis, now: now() });
      },
    });
    this.#lines.set(number, line);
  }

  #lost(number: number, error: unknown): void {
    const { now, log } = this.#options;
    log.error({ err: error }, 'a control connection could not be opened');
    this.#happened({ kind: 'closed', socket: number, why: 'lost', waitMillis: 0, now: now() });
  }

  #noticed(number: number, notice: HubNotice): void {
    const { now, log } = this.#options;
    if (notice.type === 'drain') {
      log.info({ reason: notice.reason }, 'the hub drains');
      return this.#happened({ kind: 'drained', socket: number, now: now() });
    }
    const skew = Math.round((now() - Date.parse(notice.time)) / 1000);
    if (Math.abs(skew) > LIMITS.signature.clockSkewSeconds / 2) {
      log.warn({ skewSeconds: skew }, "this machine's clock is off; set it by NTP");
    }
    const isNew = this.#state.seeking?.phase === 'greeting';
    this.#happened({ kind: 'welcomed', socket: number, now: now() });
    if (isNew) this.#options.connected(notice.address);
  }
}
