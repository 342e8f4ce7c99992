/**
 * Nobody is listed whose guests were not seen to be kept from its machine and its neighbours. What
 * was seen holds until the machine is started again or set up in another way.
 */
import { createHash } from 'node:crypto';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { GolemError } from '@vm-on-golem/shared/errors';
import type { Logger } from 'pino';
import * as z from 'zod';
import type { SelfTestResult, SelfTestRow } from './destinations.ts';

export interface GateOptions {
  /** Where it is remembered. */
  readonly dataDir: string;
  readonly bootId: string;
  /** All that the result depends on and the operator may change. */
  readonly setup: unknown;
  readonly test: (signal: AbortSignal) => Promise<SelfTestResult>;
  readonly log: Logger;
}

/** A machine that was just started has no network yet; a laptop may have none for hours. */
const RETRY_MILLIS = 15_000;

const passSchema = z.object({ bootId: z.string(), setup: z.string() });

/**
 * @returns what the offer may say: `none` where guests reach too much and the operator accepts it
 * @throws {GolemError} `unsupported` where the operator does not
 */
export async function isolationSeen(
  options: GateOptions,
  acceptUnisolated: boolean,
  signal: AbortSignal,
): Promise<'full' | 'none'> {
  try {
    await proveIsolation(options, signal);
  } catch (error) {
    if (signal.aborted) return 'full';
    if (!acceptUnisolated) throw error;
    options.log.warn({ err: error }, 'guests are offered that are not isolated');
    return 'none';
  }
  return 'full';
}

/**
 * Waits for as long as this machine does not reach the Internet itself.
 * @throws {GolemError} `unsupported` with what guests reach and must not
 */
async function proveIsolation(options: GateOptions, signal: AbortSignal): Promise<void> {
  const { dataDir, bootId, test, log } = options;
  const path = join(dataDir, 'isolation.json');
  const setup = createHash('sha256').update(JSON.stringify(options.setup)).digest('hex');
  const passed = await readPass(path);
  if (passed?.bootId === bootId && passed.setup === setup) return;
  log.info('a guest that belongs to nobody is started, to see what guests reach');
  const result = await whenOnline(test, log, signal);
  for (const row of result.rows) log.info(row, 'isolation');
  if (!result.passed) throw refusal(result.rows);
  await writeFile(`${path}.next`, JSON.stringify({ bootId, setup }), { mode: 0o600 });
  await rename(`${path}.next`, path);
}

async function whenOnline(
  test: GateOptions['test'],
  log: Logger,
  signal: AbortSignal,
): Promise<SelfTestResult> {
  for (;;) {
    try {
      return await test(signal);
    } catch (error) {
      if (!(error instanceof GolemError) || error.code !== 'discovery_unreachable') throw error;
      log.warn({ err: error }, 'what guests reach cannot be told yet');
      await sleep(RETRY_MILLIS, undefined, { signal });
    }
  }
}

function refusal(rows: readonly SelfTestRow[]): GolemError {
  const listed = (seen: SelfTestRow['seen']) =>
    rows
      .filter((row) => row.seen === seen && row.seen !== row.expected)
      .map(({ destination, what }) => `${destination} (${what})`)
      .join(', ');
  const [open, closed] = [listed('open'), listed('closed')];
  const parts = [
    ...(open ? [`Guests reach what they must not: ${open}.`] : []),
    ...(closed ? [`Guests do not reach what they must: ${closed}.`] : []),
  ];
  return new GolemError('unsupported', parts.join(' '), {
    hint: open
      ? 'Run golem-provider doctor, or accept it with --accept-unisolated; the offer says so then.'
      : 'Another firewall of this machine may drop what guests send; run golem-provider doctor.',
  });
}

async function readPass(path: string): Promise<z.output<typeof passSchema> | undefined> {
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (text === undefined) return undefined;
  try {
    return passSchema.parse(JSON.parse(text));
  } catch {
    // Half-written or of another version: it is seen again.
    return undefined;
  }
}
