/** One command in a guest that nobody watches. */
import { Readable, Writable } from 'node:stream';
import { GolemError } from '@vm-on-golem/shared/errors';
import type { Context } from '../command.ts';
import type { ReadyEntry } from '../read/reference.ts';
import { enterGuest } from './enter.ts';

/** All of it. A guest that others are in as well may never be done. */
const TOTAL_MILLIS = 60_000;
/** Kept of what the guest has to say, and shown of it. */
const MAX_BYTES = 4096;
const MAX_CHARS = 500;

/**
 * @param input what the command reads
 * @param millis how long it may take
 * @throws {GolemError} `relay_failed` when the guest does not answer, or is not done in time, `internal`
 *   when the command fails, and whatever keeps one from going in
 */
export async function runInGuest(
  context: Pick<Context, 'client' | 'paths' | 'env' | 'ask' | 'signal'>,
  entry: ReadyEntry,
  command: string,
  input: string,
  millis = TOTAL_MILLIS,
): Promise<void> {
  const late = AbortSignal.timeout(millis);
  const done = new AbortController();
  const signal = AbortSignal.any([context.signal, late, done.signal]);
  let said = Buffer.alloc(0);
  try {
    const guest = await enterGuest(context, entry, signal);
    const { code } = await guest.exec(command, {
      input: Readable.from([input]),
      output: new Writable({ write: (_chunk, _encoding, next) => next() }),
      error: new Writable({
        write: (chunk: Buffer, _encoding, next) => {
          said = Buffer.concat([said, chunk]).subarray(-MAX_BYTES);
          next();
        },
      }),
      signal: context.signal,
    });
    if (code === 0) return;
    const words = said.toString().trim().slice(-MAX_CHARS);
    throw new GolemError('internal', words || `The command ended with ${code ?? 'a signal'}.`);
  } catch (error) {
    context.signal.throwIfAborted();
    if (!late.aborted) throw error;
    throw new GolemError('relay_failed', `It did not end within ${millis / 1000} s.`, {
      cause: error,
    });
  } finally {
    // A guest that others are in may keep a connection open for as long as it likes.
    done.abort(new GolemError('relay_failed', 'The connection was let go.'));
  }
}
