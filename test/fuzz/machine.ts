/** The processes of a network as the machine sees them: alive, of bounded size, and what they log. */
import { readdirSync, readFileSync } from 'node:fs';
import { Violation } from './attack.ts';

const PAGE_BYTES = 4096;
const MIB = 1024 * 1024;

interface Process {
  readonly parent: number;
  readonly rssBytes: number;
}

/** Undefined when it has ended, also if nobody has waited for it yet. */
function processOf(pid: number): Process | undefined {
  let stat;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return undefined;
  }
  const [state, ...fields] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  if (state === 'Z' || state === 'X') return undefined;
  return { parent: Number(fields[0]), rssBytes: Number(fields[20]) * PAGE_BYTES };
}

/** Memory of a process and all that it has started, in MiB. @throws {Violation} when it has ended */
export function memoryOf(name: string, pid: number): number {
  const all = new Map<number, Process>();
  for (const entry of readdirSync('/proc')) {
    const found = /^\d+$/.test(entry) ? processOf(Number(entry)) : undefined;
    if (found) all.set(Number(entry), found);
  }
  if (!all.has(pid)) throw new Violation(`${name} has ended`);
  const isOf = (at: number): boolean => at === pid || (at > 1 && isOf(all.get(at)?.parent ?? 0));
  const bytes = [...all].reduce((sum, [at, { rssBytes }]) => (isOf(at) ? sum + rssBytes : sum), 0);
  return Math.round(bytes / MIB);
}

/** A stack, or an error that nobody has made a word of. */
const DEFECT = /\binternal\b|uncaught|unhandled|^\s+at |\b(?:Type|Range|Reference|Syntax)Error\b/i;

export interface LogWatch {
  /** @throws {Violation} for what is in a log only when something broke */
  readonly look: () => void;
}

/** @param isDefect what of the new lines tells of a defect */
export function watchLog(path: string, isDefect: (line: string) => boolean): LogWatch {
  let read = 0;
  return {
    look: () => {
      const text = readFileSync(path, 'utf8');
      const end = text.lastIndexOf('\n') + 1;
      const lines = text.slice(read, end).split('\n');
      read = Math.max(read, end);
      const at = lines.findIndex((line) => line !== '' && isDefect(line));
      if (at < 0) return;
      throw new Violation(
        `${path.replace(/^.*\//, '')} says: ${lines.slice(at, at + 8).join('\n')}`,
      );
    },
  };
}

/** The platform's own words for peers that broke the WebSocket protocol, or went. */
const PEER_FAULT = /WebSocket protocol error|disconnected/i;

/** Of what workerd writes. */
export const isDiscoveryDefect = (line: string): boolean =>
  DEFECT.test(line) && !PEER_FAULT.test(line);

/** An agent logs JSON, with stacks of what was refused: what is not JSON, or an error, is a defect. */
export function isAgentDefect(line: string): boolean {
  try {
    const { level } = JSON.parse(line) as { level?: string };
    return level === 'error' || level === 'fatal';
  } catch {
    // A stack of Node itself, or whatever else does not go through the log.
    return true;
  }
}
