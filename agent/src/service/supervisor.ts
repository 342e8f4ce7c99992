/** Who started this process, and would start it again. */
import type { Environment } from '../config/settings.ts';

/** Of the launchd job; reverse domain, as launchd wants it. */
export const LAUNCHD_LABEL = 'golem.provider';
/** Of the systemd unit. */
export const UNIT_NAME = 'golem-provider.service';

export type Supervisor = 'systemd' | 'launchd';

/**
 * Both set a variable for what they start. A shell in a desktop session inherits many of theirs, so
 * only those count that name this very process.
 */
export function supervisorOf(env: Environment, pid: number): Supervisor | null {
  if (env['SYSTEMD_EXEC_PID'] === String(pid)) return 'systemd';
  return env['XPC_SERVICE_NAME'] === LAUNCHD_LABEL ? 'launchd' : null;
}
