/**
 * A log file that does not grow for ever: when it is full it becomes `.1`, what was `.1` becomes
 * `.2`, and the oldest goes. Every line is written at once, so that the last ones before a crash are
 * there.
 */
import { closeSync, fstatSync, mkdirSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { GolemError } from '@vm-on-golem/shared/errors';

export interface RotationBounds {
  readonly fileBytes: number;
  /** Besides the one that is written. */
  readonly oldFiles: number;
}

const CLOSED = -1;

interface Sink {
  write(line: string): void;
}

export class RotatingFile implements Sink, Disposable {
  readonly #path: string;
  readonly #bounds: RotationBounds;
  readonly #fallback: Sink;
  #file: number;
  #bytes: number;
  #failing = false;

  /**
   * @param fallback gets the lines that cannot be written, as on a disk that is full
   * @throws {GolemError} `usage` when the file cannot be opened
   */
  constructor(path: string, bounds: RotationBounds, fallback: Sink) {
    this.#path = path;
    this.#bounds = bounds;
    this.#fallback = fallback;
    try {
      mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
      this.#file = openSync(path, 'a', 0o600);
      this.#bytes = fstatSync(this.#file).size;
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new GolemError('usage', `The log cannot be written: ${why}`, {
        hint: 'Give another place with --log-file, or - for stderr.',
        cause,
      });
    }
  }

  /** Never throws: nothing that the agent does may fail because of its log. */
  write(line: string): void {
    try {
      const bytes = Buffer.from(line);
      if (this.#bytes > 0 && this.#bytes + bytes.length > this.#bounds.fileBytes) this.#rotate();
      for (let at = 0; at < bytes.length; at += writeSync(this.#file, bytes, at));
      this.#bytes += bytes.length;
      this.#failing = false;
    } catch (error) {
      if (!this.#failing) {
        const why = error instanceof Error ? error.message : String(error);
        this.#fallback.write(`the log ${this.#path} cannot be written: ${why}\n`);
      }
      this.#failing = true;
      this.#fallback.write(line);
    }
  }

  /** Lines that come later go to the fallback. */
  [Symbol.dispose](): void {
    if (this.#file !== CLOSED) closeSync(this.#file);
    this.#file = CLOSED;
  }

  /** The file that is open stays so until the next one is: a failure leaves something to write to. */
  #rotate(): void {
    const { oldFiles } = this.#bounds;
    rmSync(`${this.#path}.${oldFiles}`, { force: true });
    for (let n = oldFiles - 1; n >= 0; n -= 1) {
      const from = n === 0 ? this.#path : `${this.#path}.${n}`;
      try {
        renameSync(from, `${this.#path}.${n + 1}`);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      }
    }
    const next = openSync(this.#path, 'a', 0o600);
    closeSync(this.#file);
    this.#file = next;
    this.#bytes = fstatSync(next).size;
  }
}
