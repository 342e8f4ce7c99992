/** Ctrl-C: the first one ends the waiting, the second one the program. */
import { ERRORS, EXIT, GolemError } from '@vm-on-golem/shared/errors';
import type { Command, Input } from '../commands/command.ts';

/** npm passes on at once what the terminal has sent already: that is no second signal. */
const INSISTENCE_MILLIS = 500;

/** @returns ends by the first signal, with a GolemError `interrupted` as its reason */
export function interruption(): AbortSignal {
  const stop = new AbortController();
  let first = 0;
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      if (stop.signal.aborted && performance.now() - first > INSISTENCE_MILLIS) {
        process.exit(EXIT.interrupted);
      }
      first ||= performance.now();
      stop.abort(new GolemError('interrupted'));
    });
  }
  return stop.signal;
}

/**
 * What to say of an error that ended a command: an interruption that says nothing by itself says
 * what goes on, and how to undo it.
 */
export function explained(error: unknown, command: Command, input: Input): unknown {
  const isBare =
    error instanceof GolemError &&
    error.code === 'interrupted' &&
    error.message === ERRORS.interrupted.message &&
    error.hint === undefined;
  const said = isBare ? command.interrupted?.(input) : undefined;
  if (!said) return error;
  const { message, hint } = said;
  return new GolemError('interrupted', message, {
    cause: error,
    ...(hint === undefined ? {} : { hint }),
  });
}
