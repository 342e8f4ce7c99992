/** Whether a guest runs, as its folder and its control socket tell. */
import { DriverError, stopIfAborted, type GuestState } from '../driver.ts';
import type { Attachments } from './attachments.ts';
import { guestExists, type GuestFolder } from './folder.ts';
import { readRecord } from './record.ts';

export async function stateOf(folder: GuestFolder, attachments: Attachments): Promise<GuestState> {
  if (!(await guestExists(folder))) return 'absent';
  try {
    if (await attachments.attach(folder)) return 'running';
    return (await readRecord(folder)).suspended ? 'suspended' : 'stopped';
  } catch (error) {
    if (!(error instanceof DriverError)) throw error;
    // Half-made, or half removed.
    return error.code === 'absent' ? 'stopped' : 'unknown';
  }
}

/** @throws {DriverError} `absent` | `not_stopped` | `aborted` */
export async function requireStopped(
  folder: GuestFolder,
  attachments: Attachments,
  signal: AbortSignal,
): Promise<void> {
  await readRecord(folder);
  if ((await attachments.attach(folder)) || (await readRecord(folder)).suspended)
    throw new DriverError('not_stopped', 'The guest is not stopped.');
  stopIfAborted(signal);
}
