/** Requests that are held open until there is news about something. */

export interface Wait {
  /** Milliseconds that it is held open for at most. */
  readonly millis: number;
  /** Nobody waits any more. */
  readonly signal: AbortSignal;
  /** Whether there is anything to answer already. */
  readonly news: () => boolean;
}

export class Waiting {
  readonly #waiters = new Map<string, Set<() => void>>();

  /** Resolves when there is news about `key`, or nobody waits any longer. */
  async for(key: string, { millis, signal, news }: Wait): Promise<void> {
    if (millis === 0 || signal.aborted || news()) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const waiters = this.#waiters.get(key) ?? new Set();
    this.#waiters.set(key, waiters.add(resolve));
    const timer = setTimeout(resolve, millis);
    signal.addEventListener('abort', () => resolve(), { once: true });
    await promise;
    clearTimeout(timer);
    waiters.delete(resolve);
    if (waiters.size === 0) this.#waiters.delete(key);
  }

  /** There is news about `key`. */
  wake(key: string): void {
    for (const resolve of this.#waiters.get(key) ?? []) resolve();
  }

  /** Ends all waits. */
  wakeAll(): void {
    for (const key of this.#waiters.keys()) this.wake(key);
  }
}
