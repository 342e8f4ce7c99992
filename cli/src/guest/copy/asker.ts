/** Requests to an SFTP server that may never answer them. */
import { GolemError } from '@vm-on-golem/shared/errors';
import type { SFTPWrapper } from 'ssh2';
import { GUEST_LIMITS } from '../limits.ts';

type Ask = <Result = void>(
  call: (done: (error: Error | null | undefined, result: Result) => void) => unknown,
) => Promise<Result>;

export interface Asker {
  readonly ask: Ask;
  /** For what is to be done when all else was given up, too. */
  readonly tidy: Ask;
}

/**
 * Calls of ssh2 as promises. ssh2 never answers what is asked of a connection that is gone, and a guest
 * need not answer at all: `signal` ends the waiting, and a moment later that for what tidies up.
 */
export function asker(
  sftp: SFTPWrapper,
  closed: Promise<Error | undefined>,
  signal: AbortSignal,
): Asker {
  const asked = waitingRoom();
  const tidied = waitingRoom();
  let patience: NodeJS.Timeout | undefined;
  const onAbort = () => {
    asked.close(signal.reason);
    const silent = new GolemError('relay_failed', 'The guest does not answer any more.');
    patience = setTimeout(() => tidied.close(silent), GUEST_LIMITS.tidyMillis);
  };
  const onEnd = (why: unknown) => {
    signal.removeEventListener('abort', onAbort);
    clearTimeout(patience);
    asked.close(why);
    tidied.close(why);
  };
  if (signal.aborted) onAbort();
  else signal.addEventListener('abort', onAbort, { once: true });
  void closed.then((why) => onEnd(why ?? new GolemError('relay_failed')));
  sftp.on('error', (cause: Error) => {
    const words = `The guest's SFTP server does not speak SFTP: ${cause.message}.`;
    onEnd(new GolemError('relay_failed', words, { cause }));
  });
  return { ask: asked.wait, tidy: tidied.wait };
}

/** Who waits for an answer here waits until it closes, at the longest. */
function waitingRoom(): { readonly wait: Ask; close(why: unknown): void } {
  const waiting = new Set<(why: unknown) => void>();
  let over: { readonly why: unknown } | undefined;
  return {
    wait: (call) =>
      new Promise((resolve, reject) => {
        if (over) return reject(over.why);
        waiting.add(reject);
        call((error, result) => {
          waiting.delete(reject);
          if (error) reject(error);
          else resolve(result);
        });
      }),
    close: (why) => {
      over ??= { why };
      for (const reject of waiting) reject(why);
      waiting.clear();
    },
  };
}
