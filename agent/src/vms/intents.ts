/** Begins operations: what is to be done is in the store before any of it is, whoever wants it. */
import type { OperationKind } from '@vm-on-golem/shared/api';
import { GolemError } from '@vm-on-golem/shared/errors';
import type { Actor } from '@vm-on-golem/shared/vm-records';
import type { Lifecycle } from './lifecycle/lifecycle.ts';
import { transition, type VmEvent } from './machine.ts';
import type { Operations } from './operations.ts';
import type { Recorder } from './recorder.ts';
import type { OperationArgs, OperationRecord, VmChange, VmRecord } from './records.ts';

/** Of a VM that is there. */
export type IntentKind = Exclude<OperationKind, 'create'>;

export interface Intent {
  readonly vm: VmRecord;
  readonly operation: OperationRecord;
}

export interface Wish {
  readonly actor: Actor;
  readonly args?: OperationArgs;
  /** What is written about the VM beside its phase. */
  readonly change?: VmChange;
  /** What happens to its phase, where that is not what the operation is for. */
  readonly event?: VmEvent;
  /** Goes into the VM's history. */
  readonly message?: string;
}

export interface IntentsOptions {
  readonly recorder: Recorder;
  readonly operations: Operations;
  readonly lifecycle: Lifecycle;
  /** What is available may have changed. */
  readonly changed: () => void;
}

export class Intents {
  readonly #options: IntentsOptions;

  constructor(options: IntentsOptions) {
    this.#options = options;
  }

  /**
   * Writes the intent, inside the caller's transaction; `carryOut` comes after that.
   * @throws {GolemError} `wrong_state`
   */
  begin(vm: VmRecord, kind: IntentKind, wish: Wish): Intent {
    const { recorder, operations } = this.#options;
    const { actor, args = {}, change = {}, event = EVENT[kind], message } = wish;
    const moved = recorder.move(vm.id, event, {
      ...change,
      ...(kind === 'destroy' ? { removing: true } : {}),
    });
    if (!moved) throw wrongState(vm, kind);
    const asked = { vmId: vm.id, owner: vm.owner, kind, actor, args };
    return { vm: moved, operation: operations.begin(asked, message) };
  }

  /** A removal breaks off whatever else is being done with the VM; all the rest waits for its turn. */
  carryOut({ vm, operation }: Intent): void {
    const { operations, lifecycle, changed } = this.#options;
    if (operation.kind === 'destroy') operations.interrupt(vm.id);
    lifecycle.carryOut(vm, operation);
    changed();
  }
}

/** Whether the phase of the VM allows it. */
export function mayBegin(vm: VmRecord, kind: IntentKind): boolean {
  return transition(vm.phase, EVENT[kind]) !== undefined;
}

export function wrongState(vm: VmRecord, kind: IntentKind): GolemError {
  const message = `The VM is ${vm.phase}: ${CANNOT[kind]}.`;
  return new GolemError('wrong_state', message, hintFor(vm, kind));
}

const EVENT: Readonly<Record<IntentKind, VmEvent>> = {
  start: 'start',
  stop: 'stop',
  restart: 'restart',
  suspend: 'suspend',
  resize: 'change',
  snapshot: 'change',
  restore: 'change',
  'delete-snapshot': 'change',
  destroy: 'destroy',
};

const CANNOT: Readonly<Record<IntentKind, string>> = {
  start: 'it cannot be started',
  stop: 'it cannot be stopped',
  restart: 'it cannot be restarted',
  suspend: 'it cannot be suspended',
  resize: 'it cannot be resized',
  snapshot: 'no snapshot can be taken of it',
  restore: 'it cannot be restored',
  'delete-snapshot': 'its snapshots cannot be deleted',
  destroy: 'it cannot be destroyed',
};

function hintFor({ name, phase }: VmRecord, kind: IntentKind): { readonly hint?: string } {
  if (EVENT[kind] === 'change' && phase !== 'stopped')
    return { hint: `Stop it first: golem vm stop ${name}` };
  if (kind === 'restart' && phase === 'stopped')
    return { hint: `Start it: golem vm start ${name}` };
  if (kind === 'restart' && phase === 'suspended') {
    return { hint: `Let it go on first: golem vm resume ${name}` };
  }
  if (kind === 'suspend' && phase === 'stopped') {
    return { hint: `Start it first: golem vm start ${name}` };
  }
  return {};
}
