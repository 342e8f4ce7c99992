/** The terminal of this side, for programs in guests. */
import { constants } from 'node:os';
import type { ReadStream, WriteStream } from 'node:tty';
import { exitCodeOf } from '../../guest/login.ts';
import type { ExitStatus, GuestIo, GuestTerminal } from '../../guest/session.ts';
import type { Context } from '../command.ts';

const FALLBACK = { rows: 24, cols: 80 };

/** Runs `work` with this side's streams; with `tty`, every key goes to the guest, Ctrl-C included. */
export async function withStreams(
  { streams, signal, env }: Pick<Context, 'streams' | 'signal' | 'env'>,
  tty: boolean,
  work: (io: GuestIo) => Promise<ExitStatus>,
): Promise<number> {
  const { input, output, error } = streams;
  const terminal = tty ? terminalOf(output as WriteStream, env['TERM']) : undefined;
  const isRaw = tty && isTerminal(input);
  if (isRaw) input.setRawMode(true);
  try {
    const status = await work({
      ...{ input, output, error, signal },
      ...(terminal ? { terminal } : {}),
    });
    return exitCodeOf(status, constants.signals);
  } finally {
    if (isRaw) input.setRawMode(false);
    // What is typed from now on is for whoever comes next.
    input.pause();
    if (isTerminal(input)) input.unref();
    else input.destroy();
  }
}

function isTerminal(stream: unknown): stream is ReadStream {
  return (stream as Partial<ReadStream>).isTTY === true;
}

function terminalOf(output: WriteStream, term = 'xterm-256color'): GuestTerminal {
  return {
    size: () => ({
      rows: output.rows ?? FALLBACK.rows,
      cols: output.columns ?? FALLBACK.cols,
      term,
    }),
    resized: (call) => {
      output.on('resize', call);
      return () => void output.off('resize', call);
    },
  };
}
