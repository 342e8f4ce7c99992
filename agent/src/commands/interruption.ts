/** Ctrl-C, for commands that go on until then: it is how they end, and no failure. */
import type { Surroundings } from './command.ts';

export interface Interruption extends Disposable {
  readonly signal: AbortSignal;
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

export function untilInterrupted(around: Pick<Surroundings, 'on' | 'off'>): Interruption {
  const stopping = new AbortController();
  const stop = () => stopping.abort();
  for (const signal of SIGNALS) around.on(signal, stop);
  return {
    signal: stopping.signal,
    [Symbol.dispose]: () => {
      for (const signal of SIGNALS) around.off(signal, stop);
    },
  };
}
