/** What a driver's failure is called towards a requestor. */
import { GolemError } from '@vm-on-golem/shared/errors';
import { DriverError } from '../drivers/driver.ts';

/** @returns what to throw; what is no driver's failure is returned as it is */
export function sayDriver(error: unknown): unknown {
  if (!(error instanceof DriverError)) return error;
  const code =
    error.code === 'unsupported'
      ? 'unsupported'
      : error.code === 'absent' || error.code === 'not_running'
        ? 'wrong_state'
        : 'internal';
  return new GolemError(code, error.message, { cause: error });
}
