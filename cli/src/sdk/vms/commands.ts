/** What may be done with a VM that is there, and how each of it is said on the wire. Pure. */
import { paths } from '@vm-on-golem/shared/api';
import type { ResizeVm } from '@vm-on-golem/shared/vm-commands';

/**
 * - `start` also lets a suspended VM go on; `stop` keeps its disk, `suspend` its memory, too
 * - the others but `destroy` need a VM that is stopped
 */
export type VmCommand =
  | 'start'
  | 'stop'
  | 'restart'
  | 'suspend'
  | 'destroy'
  | { readonly resize: ResizeVm }
  /** Under a name that no other snapshot of the VM has. */
  | { readonly snapshot: string }
  | { readonly restore: string }
  | { readonly deleteSnapshot: string };

export interface WireCommand {
  readonly method: 'POST' | 'DELETE';
  readonly path: string;
  readonly body?: string;
}

/** @param vm id, or name of a VM of one's own */
export function wireCommand(provider: string, vm: string, command: VmCommand): WireCommand {
  if (command === 'destroy') return { method: 'DELETE', path: paths.vm(provider, vm) };
  if (typeof command === 'string') {
    return { method: 'POST', path: paths.vmAction(provider, vm, command) };
  }
  if ('resize' in command) {
    const path = paths.vmAction(provider, vm, 'resize');
    return { method: 'POST', path, body: JSON.stringify(command.resize) };
  }
  if ('snapshot' in command) {
    const path = paths.vmPart(provider, vm, 'snapshots');
    return { method: 'POST', path, body: JSON.stringify({ name: command.snapshot }) };
  }
  if ('restore' in command) {
    return { method: 'POST', path: paths.restore(provider, vm, command.restore) };
  }
  return { method: 'DELETE', path: paths.snapshot(provider, vm, command.deleteSnapshot) };
}
