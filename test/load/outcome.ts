/** What a soak has seen, and how it is said. */

const MIB = 2 ** 20;

/** What happens to all connections at once: cut, black-holed, discovery killed, discovery stopped. */
export type RareFault = 'cut' | 'hole' | 'kill' | 'stop';

export interface SoakSample {
  readonly agentMiB: number;
  readonly relayMiB: number;
  readonly agentFiles: number;
  readonly relayFiles: number;
}

export interface SoakResult {
  sessions: number;
  echoedBytes: number;
  keystrokes: number;
  /** Connections that were cut one by one. */
  cuts: number;
  /** Of all connections, by kind. */
  readonly faults: Record<RareFault, number>;
  /** Tries to open a session that were refused, as there was a fault at that moment. */
  reopened: number;
  /** What it took until a session was open, at the most. */
  longestWaitMillis: number;
  /** What went wrong: a session that broke, or bytes that came back changed. */
  readonly broken: string[];
  readonly samples: SoakSample[];
}

export function describe(result: SoakResult): string {
  const { sessions, echoedBytes, keystrokes, cuts, faults, reopened, broken } = result;
  const longest = Math.round(result.longestWaitMillis / 1000);
  const rare = Object.entries(faults).map(([name, count]) => `${count} ${name}`);
  return (
    `${sessions} sessions, ${(echoedBytes / MIB).toFixed(0)} MiB each way whole, ` +
    `${keystrokes} keystrokes, ${cuts} cuts of one, of all: ${rare.join(', ')}; ` +
    `${reopened} tries refused, ${longest} s at most until a session was open, ${broken.length} broken`
  );
}

export function describeSample({ agentMiB, relayMiB, agentFiles, relayFiles }: SoakSample): string {
  return `agent ${agentMiB} MiB ${agentFiles} files, relay ${relayMiB} MiB ${relayFiles} files`;
}

/**
 * Medians of the second and the last quarter: the first one fills what is kept for good. A run that
 * is too short for quarters has grown by nothing.
 */
export function growth(
  { samples }: SoakResult,
  of: keyof SoakSample,
): { from: number; to: number } {
  const quarter = Math.floor(samples.length / 4);
  if (quarter < 2) return { from: samples[0]?.[of] ?? 0, to: samples[0]?.[of] ?? 0 };
  const median = (part: readonly SoakSample[]) =>
    part.map((sample) => sample[of]).sort((a, b) => a - b)[Math.floor(part.length / 2)] ?? 0;
  return {
    from: median(samples.slice(quarter, 2 * quarter)),
    to: median(samples.slice(3 * quarter)),
  };
}
