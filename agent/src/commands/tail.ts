/** The end of a file, and what comes after it: over renames, as logs are rotated by them. */
import { open, stat, type FileHandle } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';

const CHUNK_BYTES = 64 * 1024;
/** A line of a log that is longer is cut in two. */
const MAX_LINE_BYTES = 1024 * 1024;

export interface TailOptions {
  /** How many lines of what is there. */
  readonly lines: number;
  /** Ends following; without one the end of the file is the end. */
  readonly signal?: AbortSignal;
  /** How often a file that is followed is looked at. */
  readonly pollMillis?: number;
  /** Ends after as long, and at once when the signal says so. */
  readonly pause?: (millis: number, signal: AbortSignal) => Promise<void>;
}

/** Whole lines, without their ends. @throws when the file is not there at the beginning */
export async function* tail(path: string, options: TailOptions): AsyncGenerator<string> {
  const { lines, signal, pollMillis = 200, pause = sleepUntil } = options;
  let file = await open(path, 'r');
  try {
    const reader = new LineReader(await startOfLast(file, lines));
    for (;;) {
      yield* reader.read(file);
      if (!signal) yield* reader.rest();
      if (signal?.aborted !== false) return;
      const successor = await successorOf(file, path, reader.position);
      if (successor === 'cut') reader.restart();
      else if (successor) {
        // What was still written into the old one comes before the new one.
        yield* reader.read(file);
        yield* reader.rest();
        await file.close();
        file = successor;
        reader.restart();
      } else await pause(pollMillis, signal);
    }
  } finally {
    await file.close();
  }
}

class LineReader {
  position: number;
  #partial: Buffer = Buffer.alloc(0);

  constructor(position: number) {
    this.position = position;
  }

  restart(): void {
    this.position = 0;
    this.#partial = Buffer.alloc(0);
  }

  async *read(file: FileHandle): AsyncGenerator<string> {
    for (;;) {
      const { buffer, bytesRead } = await file.read({
        buffer: Buffer.alloc(CHUNK_BYTES),
        position: this.position,
      });
      if (bytesRead === 0) return;
      this.position += bytesRead;
      let rest: Buffer = Buffer.concat([this.#partial, buffer.subarray(0, bytesRead)]);
      for (let end = rest.indexOf('\n'); end >= 0; end = rest.indexOf('\n')) {
        yield rest.toString('utf8', 0, end);
        rest = rest.subarray(end + 1);
      }
      if (rest.length > MAX_LINE_BYTES) {
        yield rest.toString('utf8');
        rest = Buffer.alloc(0);
      }
      this.#partial = rest;
    }
  }

  /** A last line that has no end. */
  *rest(): Generator<string> {
    if (this.#partial.length > 0) yield this.#partial.toString('utf8');
    this.#partial = Buffer.alloc(0);
  }
}

/** Where the last `lines` lines begin. */
async function startOfLast(file: FileHandle, lines: number): Promise<number> {
  const { size } = await file.stat();
  if (lines === 0) return size;
  let found = 0;
  for (let end = size; end > 0;) {
    const start = Math.max(0, end - CHUNK_BYTES);
    const { buffer } = await file.read({ buffer: Buffer.alloc(end - start), position: start });
    for (let at = buffer.length - 1; at >= 0; at -= 1) {
      // The end of the very last line begins no other.
      if (buffer[at] !== 0x0a || start + at === size - 1) continue;
      found += 1;
      if (found === lines) return start + at + 1;
    }
    end = start;
  }
  return 0;
}

/** @returns what has taken the file's place; `cut` when it is the same and shorter than what was read */
async function successorOf(
  file: FileHandle,
  path: string,
  position: number,
): Promise<FileHandle | 'cut' | undefined> {
  const here = await file.stat();
  let there;
  try {
    there = await stat(path);
  } catch (error) {
    // Between the two steps of a rotation there is none.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  if (there.ino !== here.ino || there.dev !== here.dev) return open(path, 'r');
  return here.size < position ? 'cut' : undefined;
}

async function sleepUntil(millis: number, signal: AbortSignal): Promise<void> {
  try {
    await sleep(millis, undefined, { signal });
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}
