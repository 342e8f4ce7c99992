/** The driver that was chosen, and what this machine can do with it. */
import { join } from 'node:path';
import { GolemError } from '@vm-on-golem/shared/errors';
import type { Config } from './config/config.ts';
import type { Driver, DriverFacts } from './drivers/driver.ts';
import type { GuestNetwork } from './drivers/qemu/network/network.ts';

/**
 * Only the driver that is used is loaded: what its libraries take of memory they keep.
 * @param network of the guests of QEMU; without one they reach nothing
 * @throws {GolemError} `unsupported` where the driver finds nothing to drive
 */
export async function openDriver(
  config: Config,
  network?: GuestNetwork,
  stateDir: string = join(config['data-dir'], 'guests'),
): Promise<Driver> {
  const { driver, 'allow-emulation': allowEmulation } = config;
  if (driver === 'memory') {
    const { createMemoryDriver } = await import('./drivers/memory/driver.ts');
    return createMemoryDriver({ stateDir });
  }
  if (driver === 'multipass') {
    const { createMultipassDriver } = await import('./drivers/multipass/driver.ts');
    return createMultipassDriver({ stateDir }).catch(cannotRun);
  }
  const { createQemuDriver } = await import('./drivers/qemu/driver.ts');
  const reserveDisk = config['reserve-disk'];
  return createQemuDriver({ stateDir, allowEmulation, reserveDisk, ...(network && { network }) });
}

export function cannotRun(cause: unknown): never {
  const why = cause instanceof Error ? cause.message : String(cause);
  throw new GolemError('unsupported', `Guests cannot run here: ${why}`, { cause });
}

/** @throws {GolemError} `unsupported` on a machine that cannot run guests as they should be. */
export async function readFacts(driver: Driver, config: Config): Promise<DriverFacts> {
  const facts = await driver.facts().catch(cannotRun);
  if (facts.accelerator === 'tcg' && !config['allow-emulation']) {
    throw new GolemError('unsupported', 'This machine has no hardware virtualisation.', {
      hint: 'Switch it on in the firmware, or accept slow guests with --allow-emulation.',
    });
  }
  if (facts.isolation === 'none' && !config['accept-unisolated']) {
    throw new GolemError('unsupported', 'Guests would reach this machine and its neighbours.', {
      hint: 'Use the qemu driver on Linux, or accept it with --accept-unisolated; the offer says so then.',
    });
  }
  return facts;
}
