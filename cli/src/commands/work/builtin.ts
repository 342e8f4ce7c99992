/** A session by ssh2: what `golem vm ssh` does on a machine without OpenSSH. */
import type { ReadStream } from 'node:tty';
import { GolemError } from '@vm-on-golem/shared/errors';
import { listen } from '../../guest/forward/listen.ts';
import { addressText, type ForwardSpec } from '../../guest/forward/spec.ts';
import type { Guest } from '../../guest/login.ts';
import type { Context } from '../command.ts';
import type { ReadyEntry } from '../read/reference.ts';
import { enterGuest } from './enter.ts';
import { withStreams } from './streams.ts';

export interface BuiltinSession {
  /** As ssh has it: joined by spaces, for the user's shell. None for a shell. */
  readonly words: readonly string[];
  /** Undefined: a terminal for a shell, where there is one here, and none for a command. */
  readonly tty: boolean | undefined;
  readonly forwards: readonly ForwardSpec[];
  /** Nothing is run: only forward. */
  readonly isIdle: boolean;
}

/** @returns the exit code */
export async function runBuiltin(
  context: Context,
  entry: ReadyEntry,
  { words, tty, forwards, isIdle }: BuiltinSession,
): Promise<number> {
  const gone = new AbortController();
  await using session = new AsyncDisposableStack();
  session.defer(() => gone.abort());
  const guest = session.use(await enterGuest(context, entry, gone.signal));
  const failed = (error: unknown) => {
    if (!(error instanceof GolemError)) throw error;
    context.note(`A connection was refused: ${error.message}`);
  };
  for (const spec of forwards) {
    const { bind, port } = session.use(
      await listen(spec, (host, hostPort) => guest.forward(host, hostPort), failed),
    );
    context.note(`${addressText(bind, port)} -> ${addressText(spec.host, spec.hostPort)}`);
  }
  if (isIdle) return await untilClosed(guest, context.signal);
  const isShell = words.length === 0;
  const isTerminal = (context.streams.input as Partial<ReadStream>).isTTY === true;
  return await withStreams(context, tty ?? (isShell && isTerminal), (io) =>
    isShell ? guest.shell(io) : guest.exec(words.join(' '), io),
  );
}

async function untilClosed(guest: Guest, signal: AbortSignal): Promise<number> {
  const stopped = new Promise<undefined>((resolve) => {
    signal.addEventListener('abort', () => resolve(undefined), { once: true });
  });
  const why = await Promise.race([guest.closed, stopped]);
  signal.throwIfAborted();
  throw why ?? new GolemError('relay_failed');
}
