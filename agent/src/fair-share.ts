/**
 * Room that whoever asks is given, so that one alone cannot take all of it: nobody gets more than four
 * times what is left for others. One alone gets four fifths of the room; two get four ninths each.
 */

const TIMES_WHAT_IS_LEFT = 4;

export class FairShare {
  readonly #total: number;
  readonly #held = new Map<string, number>();
  #taken = 0;

  constructor(total: number) {
    this.#total = total;
  }

  /** @returns to be disposed when `who` is done; undefined when they have their share already */
  enter(who: string): Disposable | undefined {
    const own = this.#held.get(who) ?? 0;
    const left = this.#total - this.#taken;
    if (left <= 0 || own >= TIMES_WHAT_IS_LEFT * left) return undefined;
    this.#taken += 1;
    this.#held.set(who, own + 1);
    let isIn = true;
    return {
      [Symbol.dispose]: () => {
        if (!isIn) return;
        isIn = false;
        this.#leave(who);
      },
    };
  }

  #leave(who: string): void {
    this.#taken -= 1;
    const left = (this.#held.get(who) ?? 0) - 1;
    if (left > 0) this.#held.set(who, left);
    else this.#held.delete(who);
  }
}
