/**
 * Numbers that rise for ever, over restarts and clocks that go back: epochs of connections and the
 * sequence of offers.
 */
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { GolemError } from '@vm-on-golem/shared/errors';

/**
 * Numbers are reserved ahead, a minute of milliseconds at a time, so that the disk is written once
 * a minute at most. A restart goes on behind what was reserved.
 */
const RESERVE = 60_000;

export class RisingCounter {
  readonly #path: string;
  readonly #now: () => number;
  #last: number;
  #reserved: number;

  /**
   * @param path file of its own, made when it is missing
   * @param now milliseconds since 1970
   */
  constructor(path: string, now: () => number) {
    this.#path = path;
    this.#now = now;
    this.#reserved = readReserved(path);
    this.#last = this.#reserved;
  }

  /** A number above every one that was ever returned, and at least the time in milliseconds. */
  next(): number {
    const number = Math.max(this.#last + 1, this.#now());
    if (number > this.#reserved) {
      this.#reserved = number + RESERVE;
      this.#persist();
    }
    this.#last = number;
    return number;
  }

  #persist(): void {
    const draft = `${this.#path}.next`;
    const file = openSync(draft, 'w', 0o600);
    try {
      writeSync(file, `${this.#reserved}\n`);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(draft, this.#path);
  }
}

function readReserved(path: string): number {
  let text: string;
  try {
    text = readFileSync(path, 'utf8').trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 0;
    throw error;
  }
  const number = Number(text);
  if (!/^\d{1,16}$/.test(text) || !Number.isSafeInteger(number)) {
    throw new GolemError('invalid_request', `The counter in ${path} is damaged.`, {
      hint: 'Remove the file: the counter goes on from the time of day.',
    });
  }
  return number;
}
