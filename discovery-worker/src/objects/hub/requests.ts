/** Requests that were sent to agents and not answered yet. Lives in memory alone. */
import { GolemError } from '@vm-on-golem/shared/errors';
import { LIMITS } from '@vm-on-golem/shared/limits';
import type { WireAnswer } from '@vm-on-golem/shared/answers';

interface Entry {
  readonly connection: string;
  readonly resolve: (answer: WireAnswer) => void;
  readonly reject: (error: GolemError) => void;
  readonly stopTimer: () => void;
}

/** @returns a function that cancels the call. */
export type After = (milliseconds: number, call: () => void) => () => void;

export class Requests {
  readonly #entries = new Map<string, Entry>();
  readonly #counts = new Map<string, number>();
  readonly #onIdle = new Set<() => void>();
  readonly #after: After;

  constructor(after: After) {
    this.#after = after;
  }

  /** @throws {GolemError} `provider_busy` when the agent has as many unanswered as it may have. */
  admit(connection: string): void {
    if ((this.#counts.get(connection) ?? 0) >= LIMITS.control.inFlight) {
      throw new GolemError('provider_busy', undefined, { retryAfter: 1 });
    }
  }

  /**
   * Waits for the answer to what was just sent. Rejects with `provider_timeout` or `link_lost`.
   * @param id was never used on this connection
   */
  wait(connection: string, id: string, seconds: number): Promise<WireAnswer> {
    this.admit(connection);
    return new Promise((resolve, reject) => {
      const stopTimer = this.#after(seconds * 1000, () =>
        this.#take(connection, id)?.reject(new GolemError('provider_timeout')),
      );
      this.#entries.set(key(connection, id), { connection, resolve, reject, stopTimer });
      this.#counts.set(connection, (this.#counts.get(connection) ?? 0) + 1);
    });
  }

  /** A late or unasked answer is for nobody. */
  answer(connection: string, id: string, answer: WireAnswer): void {
    this.#take(connection, id)?.resolve(answer);
  }

  /** @returns whether anybody waited for it. */
  cancel(connection: string, id: string): boolean {
    const entry = this.#take(connection, id);
    entry?.reject(new GolemError('link_lost', 'The client went away.'));
    return entry !== undefined;
  }

  /** The socket is gone: whatever is unanswered stays so. */
  lose(connection: string): void {
    for (const [name, entry] of this.#entries) {
      if (entry.connection !== connection) continue;
      this.#entries.delete(name);
      entry.stopTimer();
      entry.reject(new GolemError('link_lost'));
    }
    this.#counts.delete(connection);
    this.#notice();
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Resolves when nothing is unanswered, or when the time is over. */
  idle(milliseconds: number): Promise<void> {
    if (this.size === 0) return Promise.resolve();
    const { promise, resolve } = Promise.withResolvers<void>();
    const stopTimer = this.#after(milliseconds, resolve);
    this.#onIdle.add(resolve);
    return promise.finally(() => {
      stopTimer();
      this.#onIdle.delete(resolve);
    });
  }

  #take(connection: string, id: string): Entry | undefined {
    const entry = this.#entries.get(key(connection, id));
    if (!entry) return undefined;
    this.#entries.delete(key(connection, id));
    entry.stopTimer();
    const left = (this.#counts.get(connection) ?? 1) - 1;
    if (left > 0) this.#counts.set(connection, left);
    else this.#counts.delete(connection);
    this.#notice();
    return entry;
  }

  #notice(): void {
    if (this.size === 0) for (const resolve of this.#onIdle) resolve();
  }
}

const key = (connection: string, id: string) => `${connection}/${id}`;
