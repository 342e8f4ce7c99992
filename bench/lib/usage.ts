/** CPU time and memory of everything that this process has started, from /proc (Linux). */
import { readdirSync, readFileSync } from 'node:fs';

/** Clock ticks a second, which Linux gives programs on every machine that Node runs on. */
const TICKS = 100;
const PAGE_BYTES = 4096;
const SAMPLE_MILLIS = 100;

interface Sample {
  readonly name: string;
  readonly parent: number;
  readonly seconds: number;
  readonly rssBytes: number;
}

/** By program: CPU seconds that passed, and the most memory that one process of it had. */
export type Usage = Readonly<Record<string, { seconds: number; rssMiB: number }>>;

/** Measures from now until it is called. */
export function watchUsage(): () => Usage {
  const before = sampleAll();
  const latest = new Map(before);
  const peaks = new Map<number, number>();
  const look = () => {
    for (const [pid, sample] of sampleAll()) {
      // Whose parent has ended belongs to init, and is ours all the same.
      const { parent, name } = latest.get(pid) ?? sample;
      // One that has ended and is not waited for yet has no command line any more.
      latest.set(pid, { ...sample, parent, name: name === 'node ' ? sample.name : name });
      peaks.set(pid, Math.max(peaks.get(pid) ?? 0, sample.rssBytes));
    }
  };
  const timer = setInterval(look, SAMPLE_MILLIS);
  return () => {
    clearInterval(timer);
    look();
    const usage: Record<string, { seconds: number; rssMiB: number }> = {};
    for (const [pid, { name, seconds }] of latest) {
      const spent = seconds - (before.get(pid)?.seconds ?? 0);
      if (spent <= 0.05 || !isOurs(pid, latest)) continue;
      const entry = (usage[name] ??= { seconds: 0, rssMiB: 0 });
      entry.seconds += spent;
      entry.rssMiB = Math.max(entry.rssMiB, (peaks.get(pid) ?? 0) / 2 ** 20);
    }
    return usage;
  };
}

/** CPU time that a process has spent. @throws when there is none of that id */
export function cpuSeconds(pid: number): number {
  const sample = sampleOf(String(pid));
  if (!sample) throw new Error(`there is no process ${pid}`);
  return sample.seconds;
}

function isOurs(pid: number, all: ReadonlyMap<number, Sample>): boolean {
  for (let at = all.get(pid)?.parent; at !== undefined && at > 1; at = all.get(at)?.parent) {
    if (at === process.pid) return true;
  }
  return false;
}

function sampleAll(): Map<number, Sample> {
  const samples = new Map<number, Sample>();
  for (const entry of readdirSync('/proc')) {
    const sample = /^\d+$/.test(entry) ? sampleOf(entry) : undefined;
    if (sample) samples.set(Number(entry), sample);
  }
  return samples;
}

/** Undefined for a process that has just ended. */
function sampleOf(pid: string): Sample | undefined {
  let stat;
  let command;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  } catch {
    return undefined;
  }
  const comm = /\((.*)\)/.exec(stat)?.[1] ?? pid;
  const fields = stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .map(Number);
  const at = (index: number) => fields[index] ?? 0;
  return {
    name: nameOf(comm, command),
    parent: at(1),
    seconds: (at(11) + at(12)) / TICKS,
    rssBytes: at(21) * PAGE_BYTES,
  };
}

/** Programs that Node runs are told apart by what it runs. */
function nameOf(comm: string, command: readonly string[]): string {
  const script = command.find((word) => /\.(?:js|ts|mjs)$/.test(word)) ?? '';
  if (script.endsWith('bin/golem.js') || script.endsWith('cli/dist/main.js')) return 'golem';
  if (/(?:bench\/lib|test\/guest)\//.test(script)) return script.replace(/^.*\/|\.ts$/g, '');
  if (script.includes('selfhost')) return 'discovery';
  return comm === 'MainThread' || comm === 'node' ? `node ${script.replace(/^.*\//, '')}` : comm;
}
