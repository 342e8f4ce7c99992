/** Lets one at a time do something, in the order in which they came. */
export class Turns {
  #last: Promise<void> = Promise.resolve();

  /**
   * @param signal ends the wait: what comes then finds out by itself that it is over
   * @returns to be disposed of when done
   */
  async take(signal: AbortSignal): Promise<Disposable> {
    const before = this.#last;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#last = before.then(() => promise);
    const aborted = Promise.withResolvers<void>();
    const abort = () => aborted.resolve();
    signal.addEventListener('abort', abort, { once: true });
    if (signal.aborted) abort();
    await Promise.race([before, aborted.promise]);
    signal.removeEventListener('abort', abort);
    return { [Symbol.dispose]: resolve };
  }
}
