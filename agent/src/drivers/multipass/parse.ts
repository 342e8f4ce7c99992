/**
 * What Multipass 1.13 to 1.17 answers with `--format json`. Pure, and lenient: fields that are not
 * needed may be missing or of any type. What makes no sense is `undefined`, never an absent guest.
 */
import { isIPv4 } from 'node:net';
import * as z from 'zod';
import type { GuestState } from '../driver.ts';

/** An instance as Multipass shows it. */
export interface Sight {
  readonly state: Exclude<GuestState, 'absent'>;
  /** Deleted, and not purged: it keeps its disk and its name, and can be recovered. */
  readonly deleted: boolean;
  readonly address: string | undefined;
}

/**
 * By the words of all versions so far; a new one is unknown. A deleted instance is a stopped one that
 * the operator has put aside.
 */
const STATES: ReadonlyMap<string, Sight['state']> = new Map([
  ['running', 'running'],
  ['starting', 'running'],
  ['restarting', 'running'],
  ['delayed shutdown', 'running'],
  ['stopped', 'stopped'],
  ['deleted', 'stopped'],
  ['suspended', 'suspended'],
]);

const instanceSchema = z.object({ state: z.string(), ipv4: z.unknown() });
const listSchema = z.object({ list: z.array(instanceSchema.extend({ name: z.string() })) });
const infoSchema = z.object({ info: z.record(z.string(), z.unknown()) });
/** An instance that has no snapshots may come without the field. */
const snapshotsSchema = z.object({ snapshots: z.record(z.string(), z.unknown()).default({}) });
const versionSchema = z.object({ multipass: z.string(), multipassd: z.string().optional() });

/** `list`: all instances by name, deleted ones included. */
export function parseList(stdout: string): ReadonlyMap<string, Sight> | undefined {
  const parsed = listSchema.safeParse(readJson(stdout));
  if (!parsed.success) return undefined;
  return new Map(parsed.data.list.map((instance) => [instance.name, sightOf(instance)]));
}

/** `info NAME` */
export function parseInfo(stdout: string, name: string): Sight | undefined {
  const parsed = instanceSchema.safeParse(instanceOf(stdout, name));
  return parsed.success ? sightOf(parsed.data) : undefined;
}

/**
 * `info NAME --snapshots`: when each was taken, by name, in milliseconds since 1970.
 * Multipass writes times as its locale does: one that cannot be read is 0.
 */
export function parseSnapshots(
  stdout: string,
  name: string,
): ReadonlyMap<string, number> | undefined {
  const parsed = snapshotsSchema.safeParse(instanceOf(stdout, name));
  if (!parsed.success) return undefined;
  return new Map(
    Object.entries(parsed.data.snapshots).map(([snapshot, facts]) => [snapshot, timeOf(facts)]),
  );
}

/**
 * `version`. Without `multipassd` the daemon does not run: the exit code is 0 even so.
 * @returns undefined when the answer makes no sense
 */
export function parseVersion(stdout: string): { readonly daemon: string | undefined } | undefined {
  const parsed = versionSchema.safeParse(readJson(stdout));
  return parsed.success ? { daemon: parsed.data.multipassd } : undefined;
}

/** `get KEY`, of a setting that is one word. */
export function parseSetting(stdout: string): string | undefined {
  return /^\s*([a-z][a-z0-9_-]{0,63})\s*$/i.exec(stdout)?.[1]?.toLowerCase();
}

function instanceOf(stdout: string, name: string): unknown {
  const parsed = infoSchema.safeParse(readJson(stdout));
  if (!parsed.success || !Object.hasOwn(parsed.data.info, name)) return undefined;
  return parsed.data.info[name];
}

function sightOf({ state, ipv4 }: z.infer<typeof instanceSchema>): Sight {
  const word = state.trim().toLowerCase();
  const first: unknown = Array.isArray(ipv4) ? ipv4[0] : undefined;
  return {
    state: STATES.get(word) ?? 'unknown',
    deleted: word === 'deleted',
    // The first is the one that Multipass manages it by, if it has one: the others are what the guest
    // says that it has. A guest without any has `N/A`.
    address: typeof first === 'string' && isIPv4(first) ? first : undefined,
  };
}

function timeOf(facts: unknown): number {
  const parsed = z.object({ created: z.string() }).safeParse(facts);
  const millis = parsed.success ? Date.parse(parsed.data.created) : Number.NaN;
  return Number.isFinite(millis) && millis > 0 ? millis : 0;
}

function readJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    // What is no JSON is no answer; every schema refuses it.
    return undefined;
  }
}
