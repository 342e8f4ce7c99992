/** The system's ssh in the place of this program: its terminal, its Ctrl-C, its exit code. */
import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import type { Writable } from 'node:stream';
import { EXIT } from '@vm-on-golem/shared/errors';
import { quieted } from './noise.ts';

/** What is still on its way when ssh has ended is there at once, unless somebody else holds it open. */
const LAST_WORDS_MILLIS = 500;

/** @returns its exit code, or undefined when there is no ssh on this machine */
export async function launchSsh(
  args: readonly string[],
  error: Writable,
): Promise<number | undefined> {
  const child = spawn('ssh', args, { stdio: ['inherit', 'inherit', 'pipe'] });
  const quiet = quieted();
  child.stderr.setEncoding('latin1').on('data', (chunk: string) => {
    error.write(Buffer.from(quiet(chunk), 'latin1'));
  });
  const ignore = () => undefined;
  // What is sent to this process alone is meant for both.
  const passOn = (signal: NodeJS.Signals) => child.kill(signal);
  process.on('SIGINT', ignore);
  process.on('SIGTERM', passOn).on('SIGHUP', passOn);
  try {
    const code = await new Promise<number | undefined>((resolve, reject) => {
      child.once('error', (cause: NodeJS.ErrnoException) => {
        if (cause.code === 'ENOENT') resolve(undefined);
        else reject(cause);
      });
      child.once('close', resolveWith(resolve));
      child.once('exit', (...how) => {
        setTimeout(() => resolveWith(resolve)(...how), LAST_WORDS_MILLIS).unref();
      });
    });
    error.write(Buffer.from(quiet(undefined), 'latin1'));
    return code;
  } finally {
    child.stderr.destroy();
    process.off('SIGINT', ignore).off('SIGTERM', passOn).off('SIGHUP', passOn);
  }
}

const resolveWith =
  (resolve: (code: number) => void) => (code: number | null, signal: NodeJS.Signals | null) =>
    resolve(code ?? (signal ? 128 + constants.signals[signal] : EXIT.transport));
