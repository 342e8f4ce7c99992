/**
 * Brings the store and the hypervisor together again: after the agent was killed at any point, and
 * from time to time while it runs. The hypervisor is the authority on what runs, the store on what
 * was meant. What cannot be asked is left alone.
 */
import type { OperationKind } from '@vm-on-golem/shared/api';
import { GolemError } from '@vm-on-golem/shared/errors';
import type { Logger } from 'pino';
import type { Driver, GuestState } from '../drivers/driver.ts';
import type { Lifecycle } from './lifecycle.ts';
import type { Operations } from './operations.ts';
import type { OperationRecord, VmRecord } from './records.ts';
import type { Store } from './store/store.ts';

/**
 * - `wait`: the hypervisor cannot say; ask again later
 * - `up`, `down`, `saved`, `lost`: no operation is open; take over what is
 * - `finish-create`, `start`, `stop`, `destroy`: go on with the open operation
 * - `roll-back`: end the open creation and remove what there is of it
 * - `lose`: end the open operation, its guest is not there
 * - `clean-up`: remove what an ended operation has left behind
 */
export type Step =
  | 'wait'
  | 'up'
  | 'down'
  | 'saved'
  | 'lost'
  | 'finish-create'
  | 'start'
  | 'stop'
  | 'destroy'
  | 'roll-back'
  | 'lose'
  | 'clean-up';

/** What to do about a VM that nothing is being done with at the moment. Pure. */
export function nextStep(
  vm: Pick<VmRecord, 'removing'>,
  open: OperationKind | undefined,
  guest: GuestState,
): Step {
  if (guest === 'unknown') return 'wait';
  switch (open) {
    case 'create':
      return guest === 'running' && !vm.removing ? 'finish-create' : 'roll-back';
    case 'start':
      return guest === 'absent' ? 'lose' : 'start';
    case 'stop':
      return guest === 'absent' ? 'lose' : 'stop';
    case 'destroy':
      return 'destroy';
    case undefined:
      break;
  }
  if (vm.removing) return 'clean-up';
  return SEEN[guest];
}

const SEEN = { running: 'up', stopped: 'down', suspended: 'saved', absent: 'lost' } as const;

export interface RecoveryOptions {
  readonly store: Store;
  readonly operations: Operations;
  readonly driver: Driver;
  readonly lifecycle: Lifecycle;
  readonly log: Logger;
  /** Whether the hypervisor can be asked has changed. */
  readonly changed: () => void;
}

export class Recovery {
  readonly #options: RecoveryOptions;
  #reachable = true;
  #unknown: ReadonlySet<string> = new Set();
  readonly #strangers = new Set<string>();

  constructor(options: RecoveryOptions) {
    this.#options = options;
  }

  /** False while the hypervisor cannot be asked: nothing new is begun then. */
  get reachable(): boolean {
    return this.#reachable;
  }

  isUnknown(vmId: string): boolean {
    return !this.#reachable || this.#unknown.has(vmId);
  }

  /** Asks the hypervisor once, and sets everything right that can be. */
  async reconcile(): Promise<void> {
    const { store, operations, driver, lifecycle, log, changed } = this.#options;
    // Only what rests now, and has not moved while the hypervisor was asked, is judged.
    const resting = store.vms.live().filter((vm) => !operations.isBusy(vm.id));
    let guests: Map<string, GuestState>;
    try {
      guests = new Map((await driver.list()).map(({ vmId, state }) => [vmId, state]));
    } catch (error) {
      if (!this.#reachable) return;
      log.error({ err: error }, 'the hypervisor cannot be asked');
      this.#reachable = false;
      changed();
      return;
    }
    if (!this.#reachable) {
      log.info('the hypervisor can be asked again');
      this.#reachable = true;
      changed();
    }
    this.#reportStrangers(guests);

    const open = Map.groupBy(store.operations.running(), ({ vmId }) => vmId);
    for (const [vmId, operations] of open) {
      if (!store.vms.get(vmId)) for (const { id } of operations) lifecycle.overtake(vmId, id);
    }
    const unknown = new Set<string>();
    for (const before of resting) {
      const vm = store.vms.get(before.id);
      if (!vm || vm.phase !== before.phase || operations.isBusy(vm.id)) continue;
      const operation = this.#current(vm, open.get(vm.id) ?? []);
      const step = nextStep(vm, operation?.kind, guests.get(vm.id) ?? 'absent');
      if (step === 'wait') unknown.add(vm.id);
      else this.#take(step, vm, operation);
    }
    this.#unknown = unknown;
  }

  /** A destroy overtakes what was being done with its VM: both are open when a kill came between. */
  #current(vm: VmRecord, open: readonly OperationRecord[]): OperationRecord | undefined {
    const removal = open.find(({ kind }) => kind === 'destroy');
    if (!removal) return open[0];
    for (const { id } of open) {
      if (id !== removal.id) this.#options.lifecycle.overtake(vm.id, id);
    }
    return removal;
  }

  #take(step: Exclude<Step, 'wait'>, vm: VmRecord, operation: OperationRecord | undefined): void {
    const { lifecycle, log } = this.#options;
    if (step === 'up' || step === 'down' || step === 'saved' || step === 'lost') {
      lifecycle.observe(vm, step);
      return;
    }
    if (step === 'clean-up') {
      lifecycle.cleanUp(vm);
      return;
    }
    if (!operation) throw new TypeError(`${step} needs an open operation`);
    log.info({ vm: vm.id, operation: operation.id, step }, 'going on with an open operation');
    switch (step) {
      case 'finish-create':
        return lifecycle.finishCreate(vm, operation.id);
      case 'start':
        return lifecycle.start(vm, operation.id);
      case 'stop':
        return lifecycle.stop(vm, operation.id);
      case 'destroy':
        return lifecycle.destroy(vm, operation.id);
      case 'lose':
        return lifecycle.lose(vm, operation.id);
      case 'roll-back':
        return lifecycle.rollBack(vm, operation.id, INTERRUPTED);
    }
  }

  /** Guests in the driver's folder that the store does not know are told about, and left alone. */
  #reportStrangers(guests: ReadonlyMap<string, GuestState>): void {
    for (const [vmId, state] of guests) {
      if (this.#strangers.has(vmId) || this.#options.store.vms.get(vmId)) continue;
      this.#strangers.add(vmId);
      this.#options.log.warn({ vm: vmId, state }, 'a guest that belongs to no VM was left alone');
    }
  }
}

const INTERRUPTED = new GolemError(
  'launch_failed',
  'The agent was stopped while it created the VM.',
  { hint: 'Create it again.' },
);
