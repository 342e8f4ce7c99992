/** Sums of prices over time. Exact: rounded once, when they are read. Pure. */
import { HOUR } from './meter.ts';

/** nano-USD an hour times milliseconds. */
export class Sum {
  #weight = 0n;

  add(hourlyPrice: number, millis: number): this {
    this.#weight += BigInt(hourlyPrice) * BigInt(millis);
    return this;
  }

  /** nano-USD, rounded down. More than any number holds exactly, 9 million USD, is given as that. */
  get nanoUsd(): number {
    const amount = this.#weight / BigInt(HOUR);
    return amount > MOST ? Number.MAX_SAFE_INTEGER : Number(amount);
  }
}

const MOST = BigInt(Number.MAX_SAFE_INTEGER);
