/**
 * Brings the store and the hypervisor together again: after the agent was killed at any point, after
 * the host was restarted, and from time to time. The hypervisor is the authority on what runs, the
 * store on what was meant. What cannot be asked is left alone.
 */
import type { OperationKind } from '@vm-on-golem/shared/api';
import { GolemError } from '@vm-on-golem/shared/errors';
import type { Logger } from 'pino';
import type { Driver, GuestState, GuestStatus } from '../drivers/driver.ts';
import type { Intents } from './intents.ts';
import type { Lifecycle } from './lifecycle/lifecycle.ts';
import { SEEN } from './lifecycle/steps.ts';
import type { Operations } from './operations.ts';
import type { OperationRecord, VmRecord } from './records.ts';
import type { Store } from './store/store.ts';

/**
 * - `wait`: the hypervisor cannot say; ask again later
 * - `up`, `down`, `saved`, `lost`: no operation is open; take over what is
 * - `boot`: it ran when the host went down
 * - `go-on`: with the open operation
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
  | 'boot'
  | 'go-on'
  | 'roll-back'
  | 'lose'
  | 'clean-up';

/**
 * What to do about a VM that nothing is being done with at the moment. Pure.
 * @param bootId of the host, as it is now
 */
export function nextStep(
  vm: Pick<VmRecord, 'removing' | 'phase' | 'boot'>,
  open: OperationKind | undefined,
  guest: GuestState,
  bootId: string,
): Step {
  if (guest === 'unknown') return 'wait';
  if (open === 'destroy') return 'go-on';
  if (open === 'create') return guest === 'running' && !vm.removing ? 'go-on' : 'roll-back';
  if (open !== undefined) return guest === 'absent' ? 'lose' : 'go-on';
  if (vm.removing) return 'clean-up';
  // What its owner shut down from inside has stopped in the boot that it ran in.
  const isCut = vm.phase === 'running' && vm.boot !== null && vm.boot !== bootId;
  return guest === 'stopped' && isCut ? 'boot' : SEEN[guest];
}

export interface RecoveryOptions {
  readonly store: Store;
  readonly operations: Operations;
  readonly driver: Driver;
  readonly lifecycle: Lifecycle;
  readonly intents: Intents;
  readonly bootId: string;
  /** Whether a VM that ran may go on running: its time is not over. */
  readonly mayRun: (vm: VmRecord) => boolean;
  /** Told of all guests, whenever the hypervisor could be asked, and of the VMs of that moment. */
  readonly seen: (guests: readonly GuestStatus[], vms: ReadonlySet<string>) => void;
  readonly log: Logger;
  /** Whether the hypervisor can be asked has changed. */
  readonly changed: () => void;
}

export class Recovery {
  readonly #options: RecoveryOptions;
  #reachable = true;
  #unknown: ReadonlySet<string> = new Set();

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
    const { store, operations, lifecycle, bootId, seen } = this.#options;
    // Only what rests now, and has not moved while the hypervisor was asked, is judged.
    const live = store.vms.live();
    const resting = live.filter((vm) => !operations.isBusy(vm.id));
    const list = await this.#ask();
    if (!list) return;
    const guests = new Map(list.map(({ vmId, state }) => [vmId, state]));
    const open = Map.groupBy(store.operations.running(), ({ vmId }) => vmId);
    for (const [vmId, operations] of open) {
      if (store.vms.get(vmId)) continue;
      for (const operation of operations) lifecycle.overtake(vmId, operation);
    }
    const unknown = new Set<string>();
    for (const before of resting) {
      const vm = store.vms.get(before.id);
      if (!vm || vm.phase !== before.phase || operations.isBusy(vm.id)) continue;
      const operation = this.#current(vm, open.get(vm.id) ?? []);
      const step = nextStep(vm, operation?.kind, guests.get(vm.id) ?? 'absent', bootId);
      if (step === 'wait') unknown.add(vm.id);
      else this.#take(step, vm, operation);
    }
    this.#unknown = unknown;
    seen(list, new Set(live.map(({ id }) => id)));
  }

  async #ask(): Promise<readonly GuestStatus[] | undefined> {
    const { driver, log, changed } = this.#options;
    let guests: readonly GuestStatus[] | undefined;
    try {
      guests = await driver.list();
    } catch (error) {
      if (this.#reachable) log.error({ err: error }, 'the hypervisor cannot be asked');
    }
    const reachable = guests !== undefined;
    if (reachable && !this.#reachable) log.info('the hypervisor can be asked again');
    if (reachable !== this.#reachable) {
      this.#reachable = reachable;
      changed();
    }
    return guests;
  }

  /** A destroy overtakes what was being done with its VM: both are open when a kill came between. */
  #current(vm: VmRecord, open: readonly OperationRecord[]): OperationRecord | undefined {
    const removal = open.find(({ kind }) => kind === 'destroy');
    if (!removal) return open[0];
    for (const operation of open) {
      if (operation !== removal) this.#options.lifecycle.overtake(vm.id, operation);
    }
    return removal;
  }

  #take(step: Exclude<Step, 'wait'>, vm: VmRecord, operation: OperationRecord | undefined): void {
    const { lifecycle, log } = this.#options;
    switch (step) {
      case 'up':
      case 'down':
      case 'saved':
      case 'lost':
        return lifecycle.observe(vm, step);
      case 'boot':
        return this.#bootAgain(vm);
      case 'clean-up':
        return lifecycle.cleanUp(vm);
      case 'go-on':
      case 'lose':
      case 'roll-back':
        break;
    }
    if (!operation) throw new TypeError(`${step} needs an open operation`);
    log.info({ vm: vm.id, operation: operation.id, step }, 'going on with an open operation');
    if (step === 'go-on') lifecycle.carryOut(vm, operation, true);
    else if (step === 'lose') lifecycle.lose(vm, operation);
    else lifecycle.rollBack(vm, operation, INTERRUPTED);
  }

  #bootAgain(vm: VmRecord): void {
    const { store, intents, mayRun, log } = this.#options;
    // Its end is due: whoever ends it has to see that it ran.
    if (!mayRun(vm)) return;
    log.info({ vm: vm.id }, 'starting a VM that ran before the host was restarted');
    const intent = store.transaction(() => {
      const message = 'The host was restarted.';
      return intents.begin(vm, 'start', { actor: 'agent', event: 'boot', message });
    });
    intents.carryOut(intent);
  }
}

const INTERRUPTED = new GolemError(
  'launch_failed',
  'The agent was stopped while it created the VM.',
  { hint: 'Create it again.' },
);
