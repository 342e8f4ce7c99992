/** Work that must not overlap, in the order in which it was asked for. */
export class Turns {
  #last: Promise<unknown> = Promise.resolve();

  take<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.#last.then(work, work);
    // Whoever asked is told of a failure; the next one in the row is not concerned.
    this.#last = mine.catch(() => undefined);
    return mine;
  }
}
