/** What Multipass 1.13 to 1.17 complains about on stderr. Pure. */
import { basename } from 'node:path';
import { DriverError, type DriverErrorCode } from '../driver.ts';
import type { Outcome } from './cli.ts';
import { MULTIPASS_LIMITS } from './limits.ts';

/** Of the client: `return_codes.h`. Others are errors of the command line, and of the unforeseen. */
const FAILED = 2;
const TIMED_OUT = 5;

export type Complaint =
  | 'absent'
  | 'deleted'
  | 'exists'
  | 'no_snapshot'
  | 'not_stopped'
  /** It is being created, by this client or by one that is gone. No other command sees it yet. */
  | 'preparing'
  /** A disk that was to become smaller. */
  | 'shrinks'
  | 'timeout'
  /** The daemon does not run, or does not talk to this user. */
  | 'unreachable'
  | 'unsupported'
  | 'other';

const PATTERNS: readonly (readonly [RegExp, Complaint])[] = [
  [/cannot connect to the multipass socket|multipass socket access denied/i, 'unreachable'],
  [/instance "[^"\n]+" is being prepared|reason: instance is being prepared/i, 'preparing'],
  [/instance "[^"\n]+" already exists/i, 'exists'],
  [/Snapshot already exists/i, 'exists'],
  [/No such snapshot/i, 'no_snapshot'],
  [/instance ["'][^"'\n]+["'] is deleted|reason: Instance is deleted/i, 'deleted'],
  [/can only (?:take snapshots of|restore snapshots of) stopped instances/i, 'not_stopped'],
  [/Instance must be stopped for modification/i, 'not_stopped'],
  [/Disk can only be expanded/i, 'shrinks'],
  [/not implemented on this backend|currently not supported/i, 'unsupported'],
  [/timed out waiting/i, 'timeout'],
];

/**
 * @param name of the instance that was asked about: that another one is missing says nothing about it
 */
export function complaintOf(code: number, stderr: string, name: string): Complaint {
  if (code === TIMED_OUT) return 'timeout';
  if (code !== FAILED) return 'other';
  const known = PATTERNS.find(([pattern]) => pattern.test(stderr));
  if (known) return known[1];
  return saysAbsent(stderr, name) ? 'absent' : 'other';
}

/** A guest is lost by this word: it has to be a whole line, with its very name. */
function saysAbsent(stderr: string, name: string): boolean {
  return stderr.split(/\r?\n/).some((line) => {
    const said = line.trim().replace(/^[a-z]+ failed: /, '');
    return (
      said === `instance "${name}" does not exist` ||
      said === `Instance '${name}' does not exist.` ||
      (said.startsWith('Cannot ') && said.endsWith(`instance: ${name}; reason: No such instance`))
    );
  });
}

const CODES = {
  absent: 'absent',
  deleted: 'failed',
  exists: 'exists',
  no_snapshot: 'no_snapshot',
  not_stopped: 'not_stopped',
  preparing: 'unavailable',
  shrinks: 'failed',
  timeout: 'timeout',
  unreachable: 'unavailable',
  unsupported: 'unsupported',
  other: 'failed',
} as const satisfies Record<Complaint, DriverErrorCode>;

/** @returns what a call that came to nothing means; undefined for one that did its work */
export function failureOf(
  outcome: Outcome,
  name: string,
): { readonly complaint: Complaint; readonly error: DriverError } | undefined {
  if (outcome.how !== 'exited') return { complaint: 'other', error: ENDS[outcome.how]() };
  if (outcome.code === 0) return undefined;
  const complaint = complaintOf(outcome.code, outcome.stderr, name);
  const words = wordsOf(outcome.stderr) || `it ended with ${outcome.code}`;
  return { complaint, error: new DriverError(CODES[complaint], `Multipass: ${words}`) };
}

const ENDS = {
  crashed: () => new DriverError('unavailable', 'The multipass program was killed.'),
  timeout: () => new DriverError('timeout', 'Multipass took too long.'),
  aborted: () => new DriverError('aborted', 'The wait for Multipass was stopped.'),
  flooded: () => new DriverError('unavailable', 'Multipass gives no end of an answer.'),
  missing: () => new DriverError('unavailable', 'The multipass program does not run here.'),
} as const;

/** One line for people, without the paths of this machine. */
export function wordsOf(stderr: string): string {
  const lines = stderr
    .split(/\r?\n/)
    // Spinners stray here as well.
    // oxlint-disable-next-line no-control-regex
    .map((line) => line.replaceAll(/\u001b\[\d*[A-Za-z]|\u0008.|[\u0000-\u001f]/g, '').trim())
    .map((line) => line.replace(/^[a-z]+ failed: /, '').replace(/^The following errors.*$/, ''))
    .filter((line) => line !== '');
  return lines
    .join(' ')
    .replaceAll(/(?:file:\/\/)?(?:\/[^\s/'",:`]+){2,}/g, (path) => basename(path))
    .slice(0, MULTIPASS_LIMITS.wordsChars);
}
