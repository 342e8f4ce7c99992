/** What QEMU this machine has, and how it would run a guest. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { DriverError, type Accelerator } from '../driver.ts';
import { chooseAccelerator, readMachineFacts } from './accelerator.ts';

const run = promisify(execFile);

export const PROGRAM = 'qemu-system-x86_64';

/** @returns such as `7.2.22` @throws {DriverError} `unavailable` */
export async function qemuVersion(): Promise<string> {
  if (process.arch !== 'x64') {
    throw new DriverError(
      'unavailable',
      `QEMU guests run on x86-64 machines; this one is ${process.arch}.`,
    );
  }
  const { stdout } = await run(PROGRAM, ['--version']).catch((cause: unknown) => {
    throw new DriverError('unavailable', `${PROGRAM} does not run on this machine.`, { cause });
  });
  return /version ([\d.]+)/.exec(stdout)?.[1] ?? 'unknown';
}

export async function hostAccelerator(): Promise<Exclude<Accelerator, 'none'>> {
  return chooseAccelerator(await readMachineFacts());
}

/** @throws {DriverError} `unavailable` where guests would be emulated and may not be */
export async function usableAccelerator(
  allowEmulation: boolean,
): Promise<Exclude<Accelerator, 'none'>> {
  const machine = await readMachineFacts();
  const accelerator = chooseAccelerator(machine);
  if (accelerator === 'tcg' && !allowEmulation) {
    const why = machine.kvmForRootAlone
      ? '/dev/kvm is open to root alone, whom guests do not run as (give it to the group kvm, mode 0660)'
      : 'This machine has no hardware virtualisation';
    const message = `${why}, and emulation is not allowed (--allow-emulation).`;
    throw new DriverError('unavailable', message);
  }
  return accelerator;
}
