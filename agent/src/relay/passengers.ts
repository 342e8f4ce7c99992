/** Who is in which VM, or on the way: no more of them than there is room for, and nobody for too long. */
import { CLOSE, Ending } from '@vm-on-golem/shared/closes';
import { GolemError } from '@vm-on-golem/shared/errors';
import { LIMITS } from '@vm-on-golem/shared/limits';
import { FairShare } from '../fair-share.ts';
import { AGENT_LIMITS } from '../limits.ts';

/** A session from the moment that its requestor was found to be let in. Disposed when it has ended. */
export interface Passenger extends Disposable {
  readonly session: string;
  readonly requestor: string;
  readonly vmId: string;
  /** Aborted with an `Ending` when they may be in the VM no more. */
  readonly abort: AbortController;
}

export class Passengers {
  readonly #room = new FairShare(LIMITS.relay.sessionsPerProvider);
  readonly #inside = new Set<Passenger>();
  /** Why sessions were cut, the newest last. */
  readonly #ended = new Map<string, Ending>();

  /** @throws {GolemError} `provider_busy` when there is no room, or no more for one alone */
  enter(session: string, requestor: string, vmId: string): Passenger {
    const place = this.#room.enter(requestor);
    if (!place) {
      throw new GolemError('provider_busy', 'The provider has too many sessions open.', {
        retryAfter: 5,
      });
    }
    const passenger: Passenger = {
      ...{ session, requestor, vmId, abort: new AbortController() },
      [Symbol.dispose]: () => {
        this.#inside.delete(passenger);
        place[Symbol.dispose]();
      },
    };
    this.#inside.add(passenger);
    return passenger;
  }

  /** @param requestor whose sessions with the VM end; all when it is undefined */
  cut(vmId: string, requestor: string | undefined, why: Ending): void {
    for (const passenger of this.#inside) {
      if (passenger.vmId !== vmId) continue;
      if (requestor === undefined || passenger.requestor === requestor) this.#end(passenger, why);
    }
  }

  /** @param check throws a `GolemError` for whoever may be in the VM no more */
  recheck(check: (requestor: string, vmId: string) => void): void {
    for (const passenger of this.#inside) {
      try {
        check(passenger.requestor, passenger.vmId);
      } catch (error) {
        if (!(error instanceof GolemError)) throw error;
        this.#end(passenger, new Ending(CLOSE.revoked));
      }
    }
  }

  /** Why a session was cut whose requestor may not have heard of it; the last ones are remembered. */
  whyEnded(session: string): Ending | undefined {
    return this.#ended.get(session);
  }

  #end({ session, abort }: Passenger, why: Ending): void {
    this.#ended.set(session, why);
    for (const oldest of this.#ended.keys()) {
      if (this.#ended.size <= AGENT_LIMITS.relay.ended) break;
      this.#ended.delete(oldest);
    }
    abort.abort(why);
  }
}
