/** Sessions end with the VM that they lead into: as soon as its removal is decided. */
import { CLOSE, Ending } from '@vm-on-golem/shared/closes';
import type { Observer } from '../recorder.ts';
import type { VmRecord } from '../records.ts';
import type { Store } from '../store/store.ts';

export function doors(store: Store, cut: (vmId: string, why: Ending) => void): Observer {
  return {
    changed: ({ before, after }) => {
      if (!isLeaving(after) || (before && isLeaving(before))) return;
      // Once the transaction has ended, one way or the other.
      queueMicrotask(() => {
        const vm = store.vms.get(after.id) ?? store.vms.gone(after.id);
        if (vm && isLeaving(vm)) cut(vm.id, new Ending(CLOSE.guestGone, 'the VM is being removed'));
      });
    },
  };
}

const isLeaving = ({ removing, goneAt }: VmRecord) => removing || goneAt !== null;
