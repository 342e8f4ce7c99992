/** Ctrl-C and its kin, for scripts that have something to clean up. */
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * Aborts at the first signal with an error that says so. Later ones change nothing: npm passes on
 * what the terminal has sent already, and what is being cleaned up must not be left half done.
 */
export function interruption(): AbortSignal {
  const stop = new AbortController();
  for (const name of SIGNALS) {
    process.on(name, () => stop.abort(new Error(`stopped by ${name}`)));
  }
  return stop.signal;
}
