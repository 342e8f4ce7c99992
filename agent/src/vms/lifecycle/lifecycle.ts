/** Gives every operation its work, and settles VMs that nothing is being done with. */
import { GolemError } from '@vm-on-golem/shared/errors';
import type { OperationKind } from '@vm-on-golem/shared/api';
import type { GuestSeed } from '../../drivers/driver.ts';
import { transition } from '../machine.ts';
import type { OperationRecord, VmRecord } from '../records.ts';
import { Changes } from './changes.ts';
import { Launches } from './launches.ts';
import { Steps, type LifecycleOptions, type Task } from './steps.ts';

export class Lifecycle {
  readonly #options: LifecycleOptions;
  readonly #steps: Steps;
  readonly #launches: Launches;
  readonly #work: Readonly<Record<OperationKind, (task: Task) => Promise<void>>>;

  constructor(options: LifecycleOptions) {
    this.#options = options;
    this.#steps = new Steps(options);
    const launches = new Launches(options, this.#steps);
    const changes = new Changes(options, this.#steps);
    this.#launches = launches;
    this.#work = {
      create: (task) => launches.finishCreate(task),
      start: (task) => launches.start(task),
      restart: (task) => launches.restart(task),
      stop: (task) => changes.stop(task),
      suspend: (task) => changes.suspend(task),
      resize: (task) => changes.resize(task),
      snapshot: (task) => changes.snapshot(task),
      restore: (task) => changes.restore(task),
      'delete-snapshot': (task) => changes.deleteSnapshot(task),
      destroy: (task) => this.#remove(task),
    };
  }

  /** Launches the guest of a new VM. On failure nothing of it stays. */
  create(vm: VmRecord, operation: OperationRecord, seed: GuestSeed): void {
    this.#enqueue(vm, operation, false, (task) => this.#launches.create(task, seed));
  }

  /**
   * Of creations only those whose guest runs already: the others have a seed that is kept nowhere.
   * @param again an earlier agent has begun it
   */
  carryOut(vm: VmRecord, operation: OperationRecord, again = false): void {
    this.#enqueue(vm, operation, again, this.#work[operation.kind]);
  }

  /** Ends a creation that cannot be finished. */
  rollBack(vm: VmRecord, operation: OperationRecord, why: GolemError): void {
    this.#enqueue(vm, operation, true, (task) => this.#launches.rollBack(task, why));
  }

  /** Tries again to remove what a failed operation has left behind. */
  cleanUp(vm: VmRecord): void {
    const { operations, recorder, driver, log, changed } = this.#options;
    operations.enqueue(vm.id, 'clean-up', async () => {
      try {
        await driver.destroy(vm.id);
      } catch (error) {
        log.warn({ err: error, vm: vm.id }, 'leftovers of a VM cannot be removed yet');
        return;
      }
      recorder.move(vm.id, 'gone');
      changed();
    });
  }

  /** Takes over what the hypervisor says of a VM that nothing is being done with. */
  observe(vm: VmRecord, event: 'up' | 'down' | 'saved' | 'lost'): void {
    const { store, recorder, bootId, log, changed } = this.#options;
    if (event === 'up' && vm.boot !== bootId) recorder.update(vm.id, { boot: bootId });
    const next = transition(vm.phase, event);
    if (next === undefined || next === vm.phase) return;
    log.info({ vm: vm.id, was: vm.phase, is: next }, 'a VM changed by itself');
    store.transaction(() => {
      // What was being changed about it is not being changed any more.
      this.#steps.settle(vm.id, event, vm.growing ? { growing: null } : {});
      recorder.happened({ vmId: vm.id, kind: event, by: event === 'lost' ? 'agent' : 'guest' });
    });
    changed();
  }

  /** Ends an operation that has become pointless: its guest is gone. */
  lose(vm: VmRecord, operation: OperationRecord): void {
    const error = new GolemError('internal', 'The guest is not there any more.');
    const change = { growing: null };
    this.#steps.finish({ vm, operation }, { stage: 'failed', event: 'lost', change }, error);
  }

  /** Ends an operation that the removal of its VM has made pointless. */
  overtake(vmId: string, operation: OperationRecord): void {
    this.#steps.overtake({ id: vmId }, operation);
  }

  async #remove({ vm, operation }: Task): Promise<void> {
    this.#steps.stage(operation, 'remove');
    try {
      await this.#options.driver.destroy(vm.id);
    } catch (error) {
      const why = this.#steps.failure(error, 'internal');
      this.#steps.finish({ vm, operation }, { stage: 'failed', event: 'leftover' }, why);
      return;
    }
    this.#steps.finish({ vm, operation }, { stage: 'gone', event: 'gone' });
  }

  #enqueue(
    vm: VmRecord,
    operation: OperationRecord,
    again: boolean,
    work: (task: Task) => Promise<void>,
  ): void {
    this.#options.operations.enqueue(vm.id, operation.id, (signal) =>
      work({ vm, operation, signal, again }),
    );
  }
}
