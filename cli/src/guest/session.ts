/** A program in a guest and the streams of whoever started it. */
import { finished } from 'node:stream/promises';
import type { Readable, Writable } from 'node:stream';
import type { ClientChannel } from 'ssh2';

export interface GuestIo {
  /** Nothing is read of it when it is absent: the program sees the end of its input at once. */
  readonly input?: Readable;
  readonly output: Writable;
  readonly error: Writable;
  readonly terminal?: GuestTerminal;
  /** Ctrl-C goes to the program, which is given a moment to end. */
  readonly signal: AbortSignal;
}

/** A terminal of this side that a program in the guest is to have. */
export interface GuestTerminal {
  size(): { readonly rows: number; readonly cols: number; readonly term: string };
  /** @returns a function that stops the calls */
  resized(call: () => void): () => void;
}

export interface ExitStatus {
  readonly code?: number;
  /** `SIGTERM`, and so on. */
  readonly signal?: string;
}

/**
 * Carries until the program has ended and all that it said was taken.
 * @returns undefined when the channel ended without saying how
 */
export async function attend(
  channel: ClientChannel,
  { input, output, error, terminal, signal }: GuestIo,
): Promise<ExitStatus | undefined> {
  let status: ExitStatus | undefined;
  channel.once('exit', (code: number | null, name?: string) => {
    status = code === null ? (name === undefined ? {} : { signal: name }) : { code };
  });
  const closed = new Promise<void>((resolve) => void channel.once('close', () => resolve()));
  // What it does not read any more is nobody's error: its exit code says how it went.
  channel.on('error', () => undefined);
  // Whoever stops listening, as `head` does, ends the program as a pipe would.
  const hangUp = () => void channel.destroy();
  output.once('error', hangUp);
  const onAbort = () => {
    channel.signal('INT');
    channel.end();
  };
  signal.addEventListener('abort', onAbort, { once: true });
  const stopResizing = terminal?.resized(() => {
    const { rows, cols } = terminal.size();
    channel.setWindow(rows, cols, 0, 0);
  });
  try {
    if (input) input.pipe(channel);
    else channel.end();
    const all = [drained(channel, output), drained(channel.stderr, error)];
    if (signal.aborted) onAbort();
    await Promise.race([closed, aborted(signal)]);
    signal.throwIfAborted();
    await Promise.all(all);
    return status;
  } finally {
    signal.removeEventListener('abort', onAbort);
    stopResizing?.();
    output.off('error', hangUp);
    input?.unpipe(channel);
  }
}

/** How long a program may take to end after Ctrl-C, before its connection is taken away. */
const FAREWELL_MILLIS = 1000;

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const wait = () => void setTimeout(resolve, FAREWELL_MILLIS).unref();
    if (signal.aborted) wait();
    else signal.addEventListener('abort', wait, { once: true });
  });
}

async function drained(from: Readable, to: Writable): Promise<void> {
  from.pipe(to, { end: false });
  try {
    await finished(from, { writable: false });
  } catch {
    // A channel that was destroyed: how the program ended is told by its status.
  }
}
