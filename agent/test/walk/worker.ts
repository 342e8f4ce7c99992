/**
 * One agent's life, as a process of its own that can be killed: opens a folder, takes up what is in
 * it, carries out one scenario, and prints which points it passed.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openIdentity, privateJwkSchema } from '@vm-on-golem/shared/keys';
import * as z from 'zod';
import { DriverError } from '../../src/drivers/driver.ts';
import { Requestor, startProvider } from '../provider.ts';
import { Points } from './points.ts';
import { SCENARIOS } from './scenarios.ts';

const argumentsSchema = z.object({
  dir: z.string(),
  scenario: z.string(),
  /** Number of the point to be killed at. */
  killAt: z.number().optional(),
  /** Of the machine, in milliseconds. */
  uptime: z.number(),
  vm: z.string(),
  idempotencyKey: z.string(),
  /** Nothing is begun: what an earlier one has begun is taken up. */
  recovers: z.boolean().optional(),
});
export type WorkerArguments = z.infer<typeof argumentsSchema>;

const given = argumentsSchema.parse(JSON.parse(process.argv[2] ?? ''));
const { dir, killAt, uptime, vm, idempotencyKey, recovers } = given;
const scenario = SCENARIOS.find(({ name }) => name === given.scenario);
if (!scenario) throw new Error(`there is no scenario '${given.scenario}'`);

const points = new Points(killAt);
const { faults } = points;
const broken = async (_vmId: string, stage: string) => {
  points.pass(`launch: ${stage}`);
  if (stage === 'boot') throw new DriverError('failed', 'It does not boot.');
};
/** It boots for ever, until somebody wants it no more. */
const slow = async (_vmId: string, stage: string, signal: AbortSignal) => {
  points.pass(`launch: ${stage}`);
  if (stage !== 'boot') return;
  await new Promise<void>((resolve) => {
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
};
const launch = scenario.broken ? broken : scenario.next ? slow : faults.launch;
const provider = await startProvider({
  ...{ dir, wrapStore: points.store, wrapDriver: points.driver },
  faults: { ...faults, ...(launch ? { launch } : {}) },
  passed: scenario.passed ?? 0,
  uptime: () => uptime + performance.now(),
  ...(scenario.rebooted ? { bootId: 'boot-2' } : {}),
});
const jwk = privateJwkSchema.parse(JSON.parse(await readFile(join(dir, 'alice.json'), 'utf8')));
const alice = new Requestor(await openIdentity('requestor', jwk), provider);
if (scenario.request && !recovers) {
  const { method, path, body } = scenario.request(provider.id, vm);
  const { status } = await alice.call(method, path, {
    idempotencyKey,
    ...(body === undefined ? {} : { body }),
  });
  points.pass(`answered with ${status}`);
}
if (scenario.next && !recovers) {
  const { method, path } = scenario.next(provider.id);
  const { status } = await alice.call(method, path, { idempotencyKey: `${idempotencyKey}-2` });
  points.pass(`answered with ${status}`);
}
if (!recovers) scenario.operator?.(provider);
await provider.vms.operations.idle();
await provider[Symbol.asyncDispose]();
process.stdout.write(JSON.stringify(points.passed));
