/**
 * SSH sessions: each one a byte stream between a requestor, through a relay, and the SSH port of a
 * guest of theirs.
 */
import type { Duplex } from 'node:stream';
import { GolemError } from '@vm-on-golem/shared/errors';
import { CLOSE, closeReason, Ending } from '@vm-on-golem/shared/closes';
import type { WireAnswer } from '@vm-on-golem/shared/answers';
import type { WireRequest } from '@vm-on-golem/shared/signing';
import type { Clock } from '@vm-on-golem/shared/stream/ports';
import { Garbage } from '@vm-on-golem/shared/stream/garbage';
import { pump } from '@vm-on-golem/shared/stream/pump';
import type { Budget } from '@vm-on-golem/shared/stream/window';
import type { Logger } from 'pino';
import type { WebSocket } from 'ws';
import type { Gate } from '../api/gate.ts';
import { readVmRef } from '../api/input.ts';
import { answerOf, signedAnswer } from '../api/serve.ts';
import { AGENT_LIMITS } from '../limits.ts';
import type { UpgradeOptions } from '../link/upgrade.ts';
import { collectYoung } from './collect.ts';
import { counted, sinkOf, sourceOf, type Traffic } from './guest.ts';
import { frameSocket, openLeg } from './leg.ts';
import { Passengers, type Passenger } from './passengers.ts';

export interface RelaysOptions {
  readonly gate: Gate;
  /** The id of the VM that this requestor may go into under that name or id. @throws {GolemError} */
  readonly locate: (requestor: string, vm: string) => string;
  /** A byte stream to the SSH port of a VM. */
  readonly dial: (vmId: string, signal: AbortSignal) => Promise<Duplex>;
  readonly upgrade: UpgradeOptions;
  readonly clock: Clock;
  /** How long a session that lost its connection is kept, in milliseconds. */
  readonly graceMillis: number;
  /** What all sessions may have under way. */
  readonly budget: Budget;
  readonly log: Logger;
}

interface Leg {
  /** It was there before the requestor missed it. */
  readonly isStale: () => boolean;
  /** Takes it for lost, so that another one is dialled. */
  readonly drop: () => void;
}

export class Relays implements AsyncDisposable {
  readonly #options: RelaysOptions;
  readonly #stopping = new AbortController();
  readonly #traffic: Traffic = { toGuests: 0, fromGuests: 0 };
  readonly #sessions = new Set<Promise<void>>();
  readonly #passengers = new Passengers();
  /** By session, where there is a leg or one is dialled. */
  readonly #legs = new Map<string, Leg>();
  readonly #garbage = new Garbage(collectYoung);
  /** Sessions that are being refused, as nobody knows them. */
  #strangers = 0;

  constructor(options: RelaysOptions) {
    this.#options = options;
  }

  /** What all sessions have carried so far. */
  get traffic(): Readonly<Traffic> {
    return this.#traffic;
  }

  get size(): number {
    return this.#sessions.size;
  }

  /**
   * Answers a requestor's upgrade, which discovery passed on as it was signed. 200 means that the
   * guest's SSH port is open; our leg of the relay is there by then or will be at once.
   */
  async open(session: string, request: WireRequest): Promise<WireAnswer> {
    const { upgrade } = this.#options;
    const answer = await this.#answer(session, request).catch((error: unknown) => {
      if (error instanceof GolemError) return answerOf(error);
      this.#options.log.error({ err: error, session }, 'a relay session could not be opened');
      return answerOf(new GolemError('internal'));
    });
    return signedAnswer(answer, request, upgrade.identity, upgrade.now);
  }

  /**
   * A requestor waits for our leg of a session. One that seems to be there does not reach the relay;
   * of one that we know nothing of, as its agent was killed, the requestor is told.
   */
  resume(session: string): void {
    const known = this.#legs.get(session);
    if (known) return known.isStale() ? known.drop() : undefined;
    if (this.#strangers >= AGENT_LIMITS.relay.strangers) return;
    this.#strangers += 1;
    this.#disown(session)
      .catch((error: unknown) => {
        this.#options.log.info({ err: error, session }, 'an unknown session could not be refused');
      })
      .finally(() => {
        this.#strangers -= 1;
      });
  }

  /** Ends the sessions of a VM, or those that one requestor has with it, at once. */
  cut(vmId: string, requestor: string | undefined, why: Ending): void {
    this.#passengers.cut(vmId, requestor, why);
  }

  /** Ends the sessions of those who may go in no more, after what decides about that has changed. */
  recheck(): void {
    this.#passengers.recheck((requestor, vmId) => void this.#options.locate(requestor, vmId));
  }

  /** Ends all sessions, not the guests. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping.abort(new GolemError('relay_failed', 'The agent is stopping.'));
    await this.idle();
  }

  /** Resolves when the sessions of this moment have ended. */
  async idle(): Promise<void> {
    await Promise.all(this.#sessions);
  }

  async #disown(session: string): Promise<void> {
    const socket = await openLeg(this.#options.upgrade, session, this.#stopping.signal);
    const leg = frameSocket(socket);
    const { promise, resolve } = Promise.withResolvers<void>();
    leg.listen({ message: () => {}, alive: () => {}, closed: () => resolve() });
    const cancel = this.#options.clock.after(AGENT_LIMITS.relay.closeMillis, () => leg.drop());
    const ended = this.#passengers.whyEnded(session) ?? LOST;
    leg.close(ended.close.code, closeReason(ended.message));
    await promise;
    cancel();
    this.#options.log.info({ session, why: ended.message }, 'a session that is over was refused');
  }

  async #answer(session: string, request: WireRequest) {
    const { gate, locate, dial, upgrade } = this.#options;
    const { requestor, path } = await gate.admit(request);
    const vm = readVmRef(/^\/vms\/([^/]+)\/ssh$/.exec(path)?.[1]);
    if (this.#stopping.signal.aborted) {
      throw new GolemError('provider_busy', 'The provider is stopping.', { retryAfter: 5 });
    }
    // From here on it is cut when the requestor is let in no more, however far it has come.
    const passenger = this.#passengers.enter(session, requestor, locate(requestor, vm));
    const { abort, vmId } = passenger;
    const signal = AbortSignal.any([this.#stopping.signal, abort.signal]);
    // Side by side: the relay waits for the requestor's answer, whoever comes first.
    const leg = openLeg(upgrade, session, signal);
    leg.catch(() => {
      // Said by the session, or of no interest when the guest cannot be reached anyway.
    });
    try {
      const within = AbortSignal.timeout(AGENT_LIMITS.relay.guestMillis);
      const guest = await dial(vmId, AbortSignal.any([signal, within]));
      if (abort.signal.aborted) guest.destroy();
      abort.signal.throwIfAborted();
      this.#begin(passenger, guest, leg, signal);
      return { status: 200, body: '{}' };
    } catch (error) {
      passenger[Symbol.dispose]();
      const cut: unknown = abort.signal.reason;
      abort.abort(error);
      leg.then(
        (socket) => socket.terminate(),
        () => {
          // It was never open.
        },
      );
      if (cut instanceof Ending) throw new GolemError('vm_not_found', undefined, { cause: cut });
      throw error;
    }
  }

  #begin(passenger: Passenger, guest: Duplex, leg: Promise<WebSocket>, signal: AbortSignal): void {
    const { log } = this.#options;
    const { session } = passenger;
    // Errors end the session through its reads and writes, which see them as well.
    guest.on('error', (error) => log.debug({ err: error, session }, 'the guest hung up'));
    const running = this.#run(session, guest, leg, signal)
      .then(
        () => log.info({ session }, 'a session has ended'),
        (error: unknown) => {
          // Whoever hangs up ends a session so, too: not worth a stack in the log.
          const why = error instanceof GolemError ? { why: error.message } : { err: error };
          log.info({ session, ...why }, 'a session broke off');
        },
      )
      .finally(() => {
        guest.destroy();
        passenger[Symbol.dispose]();
        this.#sessions.delete(running);
      });
    this.#sessions.add(running);
  }

  async #run(
    session: string,
    guest: Duplex,
    leg: Promise<WebSocket>,
    signal: AbortSignal,
  ): Promise<void> {
    const { clock, log, upgrade, graceMillis, budget } = this.#options;
    let socket = await leg;
    let since = clock.now();
    log.info({ session }, 'a session has begun');
    this.#legs.set(session, {
      isStale: () =>
        socket.readyState === socket.OPEN && clock.now() - since > AGENT_LIMITS.relay.staleMillis,
      drop: () => socket.terminate(),
    });
    try {
      await pump({
        socket: frameSocket(socket),
        ...counted({ source: sourceOf(guest), sink: sinkOf(guest) }, this.#traffic),
        ...{ clock, signal, budget, garbage: this.#garbage },
        redial: {
          connect: async (stopped) => {
            socket = await openLeg(upgrade, session, stopped);
            since = clock.now();
            log.info({ session }, 'a session is taken up again');
            return frameSocket(socket);
          },
          graceMillis,
          random: () => Math.random(),
        },
      });
    } finally {
      this.#legs.delete(session);
      const cancel = clock.after(AGENT_LIMITS.relay.closeMillis, () => socket.terminate());
      socket.once('close', cancel);
    }
  }
}

const LOST = new Ending(CLOSE.guestGone, 'the agent was restarted and has lost the session');
