/** What a VM is called in Multipass, whose names have no underscore. */
import { checkVmId } from '../names.ts';

const PREFIX = 'golem-';

/** @throws {DriverError} `failed` for what is no VM id */
export function instanceName(vmId: string): string {
  checkVmId(vmId);
  return `${PREFIX}${vmId.slice('vm_'.length)}`;
}
