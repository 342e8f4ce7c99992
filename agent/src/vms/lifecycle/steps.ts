/** What all operations have in common: how they pass stages, end, fail, and are overtaken. */
import type { Stage } from '@vm-on-golem/shared/api';
import { GolemError } from '@vm-on-golem/shared/errors';
import type { Timers } from '@vm-on-golem/shared/stream/ports';
import type { Logger } from 'pino';
import {
  DriverError,
  type Driver,
  type GuestImage,
  type LaunchContext,
} from '../../drivers/driver.ts';
import { AGENT_LIMITS } from '../../limits.ts';
import type { VmEvent } from '../machine.ts';
import { BREAK, type Operations } from '../operations.ts';
import type { Recorder } from '../recorder.ts';
import type { OperationRecord, VmChange, VmRecord } from '../records.ts';
import type { Store } from '../store/store.ts';

export interface LifecycleOptions {
  readonly store: Store;
  readonly recorder: Recorder;
  readonly operations: Operations;
  readonly driver: Driver;
  readonly images: {
    resolve(id: string, signal: AbortSignal): Promise<GuestImage>;
  };
  /** Which boot of the host this is. */
  readonly bootId: string;
  readonly timers: Timers;
  readonly log: Logger;
  /** The state of a VM has changed. */
  readonly changed: () => void;
}

/** One operation on one VM. */
export interface Task {
  readonly vm: VmRecord;
  readonly operation: OperationRecord;
  /** Aborted when the agent stops or the VM's removal overtakes it. */
  readonly signal: AbortSignal;
  /** An earlier agent has begun it already, nobody knows how far it came. */
  readonly again: boolean;
}

/** How an operation ends well. */
export interface Outcome {
  readonly stage: Stage;
  readonly event: VmEvent;
  readonly change?: VmChange;
}

export class Steps {
  readonly #options: LifecycleOptions;

  constructor(options: LifecycleOptions) {
    this.#options = options;
  }

  stage({ id }: OperationRecord, stage: Stage): void {
    this.#options.operations.stage(id, stage);
    this.#options.log.info({ operation: id, stage }, 'stage');
  }

  /** Does `work`, and writes how it has ended. */
  async attempt(
    task: Task,
    code: 'launch_failed' | 'internal',
    work: () => Promise<Outcome>,
  ): Promise<void> {
    if (this.endIfDoomed(task)) return;
    let outcome: Outcome;
    try {
      outcome = await work();
    } catch (error) {
      await this.#fail(task, this.failure(error, code));
      return;
    }
    this.finish(task, outcome);
  }

  finish(
    { vm, operation }: Pick<Task, 'vm' | 'operation'>,
    { stage, event, change }: Omit<Outcome, 'event'> & { readonly event?: VmEvent | undefined },
    error?: GolemError,
  ): void {
    const { operations, log, changed } = this.#options;
    const settle = () => {
      if (event !== undefined) this.settle(vm.id, event, change);
    };
    operations.finish(operation.id, stage, settle, error);
    const facts = { operation: operation.id, vm: vm.id, stage, err: error };
    log[error ? 'warn' : 'info'](facts, 'operation ended');
    changed();
  }

  /** What the phase does not allow has been overtaken by a command of the owner. */
  settle(vmId: string, event: VmEvent, change: VmChange = {}): void {
    const { recorder, bootId } = this.#options;
    recorder.move(vmId, event, { ...change, ...(event === 'up' ? { boot: bootId } : {}) });
  }

  /** Its removal is decided: what was under way ends here, and the removal is next. */
  endIfDoomed({ vm, operation }: Pick<Task, 'vm' | 'operation'>): boolean {
    if (this.#options.store.vms.get(vm.id)?.phase !== 'destroying') return false;
    this.overtake(vm, operation);
    return true;
  }

  overtake(vm: Pick<VmRecord, 'id'>, operation: OperationRecord): void {
    const error = new GolemError('wrong_state', 'The VM was destroyed meanwhile.');
    this.#options.operations.finish(operation.id, 'failed', () => {}, error);
    this.#options.log.info({ operation: operation.id, vm: vm.id }, 'operation overtaken');
    this.#options.changed();
  }

  launchContext({ vm, operation, signal }: Task): LaunchContext {
    const { store, recorder } = this.#options;
    return {
      signal: within(signal, AGENT_LIMITS.vms.launchMillis),
      onStage: (stage) =>
        store.transaction(() => {
          if (stage === 'boot') recorder.booting(vm.id);
          this.stage(operation, stage);
        }),
    };
  }

  failure(error: unknown, code: 'launch_failed' | 'internal'): GolemError {
    if (error instanceof GolemError) return error;
    if (error instanceof DriverError) {
      const said = error.code === 'unsupported' ? 'unsupported' : code;
      return new GolemError(said, error.message, { cause: error });
    }
    if (error instanceof DOMException && error.name === 'TimeoutError') {
      return new GolemError(code, 'It took too long.', { cause: error });
    }
    this.#options.log.error({ err: error }, 'an unexpected failure');
    return new GolemError('internal', undefined, { cause: error });
  }

  /** The VM is what the hypervisor says that it is. */
  async #fail(task: Task, error: GolemError): Promise<void> {
    if (task.signal.reason === BREAK.shutdown) return;
    if (this.endIfDoomed(task)) return;
    const { state } = await this.#options.driver.inspect(task.vm.id);
    if (this.endIfDoomed(task)) return;
    const event = state === 'unknown' ? undefined : SEEN[state];
    this.finish(task, { stage: 'failed', event, change: { growing: null } }, error);
  }
}

/** What a guest's state means for its VM. */
export const SEEN = { running: 'up', stopped: 'down', suspended: 'saved', absent: 'lost' } as const;

export function within(signal: AbortSignal, millis: number): AbortSignal {
  return AbortSignal.any([signal, AbortSignal.timeout(millis)]);
}
