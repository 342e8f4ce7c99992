/** Work that several wait for, done once. */
import { DriverError } from '../drivers/driver.ts';

interface Running<T> {
  readonly result: Promise<T>;
  readonly abort: AbortController;
  waiters: number;
}

/** Callers with the same key share one piece of work, which is broken off when the last has gone. */
export class SharedWork<T> {
  readonly #running = new Map<string, Running<T>>();

  /** @throws {DriverError} `aborted` | `timeout` as soon as `signal` aborts, or what the work throws */
  async join(
    key: string,
    signal: AbortSignal,
    work: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    if (signal.aborted) throw stopped(signal);
    const running = this.#running.get(key) ?? this.#start(key, work);
    running.waiters += 1;
    const { promise: gone, reject } = Promise.withResolvers<never>();
    const leave = () => reject(stopped(signal));
    signal.addEventListener('abort', leave, { once: true });
    try {
      return await Promise.race([running.result, gone]);
    } finally {
      signal.removeEventListener('abort', leave);
      running.waiters -= 1;
      if (running.waiters === 0) await this.#breakOff(key, running);
    }
  }

  #start(key: string, work: (signal: AbortSignal) => Promise<T>): Running<T> {
    const abort = new AbortController();
    const running = { result: work(abort.signal), abort, waiters: 0 };
    this.#running.set(key, running);
    return running;
  }

  /** Returns when the work has cleaned up after itself. It may be over already. */
  async #breakOff(key: string, running: Running<T>): Promise<void> {
    if (this.#running.get(key) === running) this.#running.delete(key);
    running.abort.abort();
    await running.result.catch(() => undefined);
  }
}

/** What is thrown when a wait is stopped from outside. */
export function stopped({ reason }: AbortSignal): DriverError {
  const late = reason instanceof DOMException && reason.name === 'TimeoutError';
  return late
    ? new DriverError('timeout', 'It took too long to get the image.')
    : new DriverError('aborted', 'The wait for the image was stopped.');
}
