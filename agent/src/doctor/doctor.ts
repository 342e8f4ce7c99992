/** Everything that is looked at, in the order in which it has to be put right. */
import { GolemError } from '@vm-on-golem/shared/errors';
import { failure, type Check, type Checkup, type Finding } from './check.ts';
import { agent, configuration, files, service } from './installation.ts';
import { isolation } from './isolation.ts';
import { cgroups, disk, driver, memoryAndCpus, virtualisation } from './machine.ts';
import { selfTest } from './probe.ts';
import { clock, discovery } from './surroundings.ts';

const CHECKS: readonly Check[] = [
  ...[configuration, files, virtualisation, driver, memoryAndCpus, disk, cgroups],
  ...[discovery, clock, isolation, selfTest, service, agent],
];

export interface Diagnosis extends Finding {
  readonly check: string;
}

/**
 * @param begins is told what is looked at next
 * @returns what was found, one after the other; what breaks while it is looked at is a failure as well
 */
export async function* examine(
  checkup: Checkup,
  begins: (check: string) => void,
): AsyncGenerator<Diagnosis> {
  for (const { name, run } of CHECKS) {
    checkup.signal.throwIfAborted();
    begins(name);
    yield { check: name, ...(await run(checkup).catch(unexpected)) };
  }
}

function unexpected(error: unknown): Finding {
  const message = error instanceof Error ? error.message : String(error);
  const hint = error instanceof GolemError ? error.hint : undefined;
  return failure(`it could not be looked at: ${message}`, hint ?? 'report this as a bug');
}
