/** Names that become files, arguments or commands: they are looked at before they do. */
import { vmIdSchema } from '@vm-on-golem/shared/ids';
import { snapshotNameSchema } from '@vm-on-golem/shared/vm';
import { DriverError } from './driver.ts';

/** @throws {DriverError} `failed` */
export function checkVmId(vmId: string): void {
  if (!vmIdSchema.safeParse(vmId).success)
    throw new DriverError('failed', `'${vmId}' is no VM id.`);
}

/** @throws {DriverError} `failed` */
export function checkSnapshotName(name: string): void {
  if (!snapshotNameSchema.safeParse(name).success)
    throw new DriverError('failed', `'${name}' cannot be the name of a snapshot.`);
}
