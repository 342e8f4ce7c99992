/**
 * Sends offers: signed one after the other, so that they leave in the order of their numbers, and
 * several changes shortly after one another as one.
 */
import type { SignedOffer } from '@vm-on-golem/shared/offer';
import type { Timers } from '@vm-on-golem/shared/stream/ports';
import type { Logger } from 'pino';
import { AGENT_LIMITS } from '../limits.ts';

export interface AdvertiserOptions {
  /** A new, signed offer of what there is now. */
  readonly offer: () => Promise<SignedOffer>;
  /** Sends on the socket of this number, if it is still there. */
  readonly send: (socket: number, offer: SignedOffer) => Promise<void>;
  readonly timers: Timers;
  readonly log: Logger;
}

export class Advertiser implements Disposable {
  readonly #options: AdvertiserOptions;
  #sending: Promise<void> = Promise.resolve();
  /** Sockets whose next offer has not been signed yet: it will say what is new as well. */
  readonly #due = new Set<number>();
  #cancel: (() => void) | undefined;

  constructor(options: AdvertiserOptions) {
    this.#options = options;
  }

  advertise(socket: number): void {
    if (this.#due.has(socket)) return;
    this.#due.add(socket);
    this.#sending = this.#sending.then(async () => {
      this.#due.delete(socket);
      try {
        await this.#options.send(socket, await this.#options.offer());
      } catch (error) {
        this.#options.log.warn({ err: error }, 'the offer could not be sent');
      }
    });
  }

  /** @param sockets asked for when it is time */
  changed(sockets: () => readonly number[]): void {
    this.#cancel ??= this.#options.timers.after(AGENT_LIMITS.link.offerMillis, () => {
      this.#cancel = undefined;
      for (const socket of sockets()) this.advertise(socket);
    });
  }

  [Symbol.dispose](): void {
    this.#cancel?.();
  }
}
