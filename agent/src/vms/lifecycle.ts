/** What each operation does with the guest, and what is written about the VM when it has ended. */
import { GolemError } from '@vm-on-golem/shared/errors';
import type { Logger } from 'pino';
import { DriverError, type Driver, type GuestImage, type GuestSeed } from '../drivers/driver.ts';
import { AGENT_LIMITS } from '../limits.ts';
import { transition, type VmEvent } from './machine.ts';
import { BREAK, type Operations } from './operations.ts';
import type { VmRecord } from './records.ts';
import type { Recorder } from './recorder.ts';
import type { Store } from './store/store.ts';

const { imageMillis, launchMillis, stopGraceMillis } = AGENT_LIMITS.vms;

export interface LifecycleOptions {
  readonly store: Store;
  readonly recorder: Recorder;
  readonly operations: Operations;
  readonly driver: Driver;
  readonly images: {
    resolve(id: string, signal: AbortSignal): Promise<GuestImage>;
  };
  readonly log: Logger;
  /** The state of a VM has changed. */
  readonly changed: () => void;
}

export class Lifecycle {
  readonly #options: LifecycleOptions;

  constructor(options: LifecycleOptions) {
    this.#options = options;
  }

  /** Launches a guest that is not there yet. On failure nothing of it stays. */
  create(vm: VmRecord, operation: string, seed: GuestSeed): void {
    const { driver, images } = this.#options;
    this.#bringUp(vm, operation, async (signal) => {
      this.#stage(operation, 'image');
      const image = await images.resolve(vm.image, within(signal, imageMillis));
      const { id: vmId, resources, hostKey } = vm;
      const spec = { vmId, ...resources, image, seed, hostKey };
      await driver.launch(spec, this.#context(operation, signal));
    });
  }

  /** Takes up a creation whose guest runs already: it is ready once it proves its host key. */
  finishCreate(vm: VmRecord, operation: string): void {
    this.#bringUp(vm, operation, (signal) =>
      this.#options.driver.start(vm.id, this.#context(operation, signal)),
    );
  }

  /** Ends a creation that cannot be finished. */
  rollBack(vm: VmRecord, operation: string, why: GolemError): void {
    this.#options.operations.enqueue(vm.id, operation, () => this.#undo(vm, operation, why));
  }

  start(vm: VmRecord, operation: string): void {
    this.#options.operations.enqueue(vm.id, operation, async (signal) => {
      if (this.#endIfDoomed(vm, operation)) return;
      try {
        await this.#options.driver.start(vm.id, this.#context(operation, signal));
        this.#finish(vm.id, operation, 'ready', 'up');
      } catch (error) {
        await this.#fail(vm, operation, signal, this.#failure(error, 'launch_failed'));
      }
    });
  }

  stop(vm: VmRecord, operation: string): void {
    this.#options.operations.enqueue(vm.id, operation, async (signal) => {
      if (this.#endIfDoomed(vm, operation)) return;
      try {
        this.#stage(operation, 'shutdown');
        await this.#options.driver.stop(vm.id, { graceMs: stopGraceMillis, signal });
        this.#finish(vm.id, operation, 'stopped', 'down');
      } catch (error) {
        await this.#fail(vm, operation, signal, this.#failure(error, 'internal'));
      }
    });
  }

  destroy(vm: VmRecord, operation: string): void {
    const { operations, driver } = this.#options;
    operations.enqueue(vm.id, operation, async () => {
      this.#stage(operation, 'remove');
      try {
        await driver.destroy(vm.id);
        this.#finish(vm.id, operation, 'gone', 'gone');
      } catch (error) {
        this.#finish(vm.id, operation, 'failed', 'leftover', this.#failure(error, 'internal'));
      }
    });
  }

  /** Tries again to remove what a failed operation has left behind. */
  cleanUp(vm: VmRecord): void {
    const { operations, recorder, driver, log, changed } = this.#options;
    operations.enqueue(vm.id, 'clean-up', async () => {
      try {
        await driver.destroy(vm.id);
        recorder.move(vm.id, 'gone');
        changed();
      } catch (error) {
        log.warn({ err: error, vm: vm.id }, 'leftovers of a VM cannot be removed yet');
      }
    });
  }

  /** Takes over what the hypervisor says of a VM that nothing is being done with. */
  observe(vm: VmRecord, event: 'up' | 'down' | 'saved' | 'lost'): void {
    const next = transition(vm.phase, event);
    if (next === undefined || next === vm.phase) return;
    const { store, recorder, log, changed } = this.#options;
    log.info({ vm: vm.id, was: vm.phase, is: next }, 'a VM changed by itself');
    store.transaction(() => {
      recorder.move(vm.id, event);
      recorder.happened({ vmId: vm.id, kind: event, by: event === 'lost' ? 'agent' : 'guest' });
    });
    changed();
  }

  /** Ends an operation that has become pointless: its guest is gone. */
  lose(vm: VmRecord, operation: string): void {
    const error = new GolemError('internal', 'The guest is not there any more.');
    this.#finish(vm.id, operation, 'failed', 'lost', error);
  }

  /** Ends an operation that its owner's destroy has made pointless. */
  overtake(vmId: string, operation: string): void {
    const error = new GolemError('wrong_state', 'The VM was destroyed meanwhile.');
    this.#finish(vmId, operation, 'failed', undefined, error);
  }

  #bringUp(vm: VmRecord, operation: string, launch: (signal: AbortSignal) => Promise<void>): void {
    this.#options.operations.enqueue(vm.id, operation, async (signal) => {
      if (this.#endIfDoomed(vm, operation)) return;
      try {
        await launch(signal);
        this.#finish(vm.id, operation, 'ready', 'up');
      } catch (error) {
        if (signal.reason === BREAK.shutdown) return;
        if (this.#endIfDoomed(vm, operation)) return;
        await this.#undo(vm, operation, this.#failure(error, 'launch_failed'));
      }
    });
  }

  async #undo(vm: VmRecord, operation: string, why: GolemError): Promise<void> {
    const { recorder, driver, log } = this.#options;
    recorder.update(vm.id, { removing: true });
    this.#stage(operation, 'rollback');
    try {
      await driver.destroy(vm.id);
      this.#finish(vm.id, operation, 'failed', 'gone', why);
    } catch (error) {
      log.error({ err: error, vm: vm.id }, 'a failed VM could not be removed yet');
      this.#finish(vm.id, operation, 'failed', 'leftover', why);
    }
  }

  /** A start or stop failed: the VM is what the hypervisor says that it is. */
  async #fail(
    vm: VmRecord,
    operation: string,
    signal: AbortSignal,
    error: GolemError,
  ): Promise<void> {
    if (signal.reason === BREAK.shutdown) return;
    if (this.#endIfDoomed(vm, operation)) return;
    const { state } = await this.#options.driver.inspect(vm.id);
    const event = state === 'unknown' ? undefined : EVENT_OF[state];
    this.#finish(vm.id, operation, 'failed', event, error);
  }

  /** Its owner has it destroyed: what was under way ends here, and the removal is next. */
  #endIfDoomed(vm: VmRecord, operation: string): boolean {
    if (this.#options.store.vms.get(vm.id)?.phase !== 'destroying') return false;
    this.overtake(vm.id, operation);
    return true;
  }

  #context(operation: string, signal: AbortSignal) {
    return {
      signal: within(signal, launchMillis),
      onStage: (stage: 'disk' | 'boot' | 'ssh') => this.#stage(operation, stage),
    };
  }

  #stage(operation: string, stage: Parameters<Operations['stage']>[1]): void {
    this.#options.operations.stage(operation, stage);
    this.#options.log.info({ operation, stage }, 'stage');
  }

  #finish(
    vmId: string,
    operation: string,
    stage: 'ready' | 'stopped' | 'gone' | 'failed',
    event: VmEvent | undefined,
    error?: GolemError,
  ): void {
    const { operations, recorder, log, changed } = this.#options;
    const settle = () => {
      // What the phase does not allow has been overtaken by a command of the owner.
      if (event !== undefined) recorder.move(vmId, event);
    };
    operations.finish(operation, stage, settle, error);
    log[error ? 'warn' : 'info']({ operation, vm: vmId, stage, err: error }, 'operation ended');
    changed();
  }

  #failure(error: unknown, code: 'launch_failed' | 'internal'): GolemError {
    if (error instanceof GolemError) return error;
    if (error instanceof DriverError) return new GolemError(code, error.message, { cause: error });
    if (error instanceof DOMException && error.name === 'TimeoutError') {
      return new GolemError(code, 'It took too long.', { cause: error });
    }
    this.#options.log.error({ err: error }, 'an unexpected failure');
    return new GolemError('internal', undefined, { cause: error });
  }
}

const EVENT_OF = { running: 'up', stopped: 'down', suspended: 'saved', absent: 'lost' } as const;

function within(signal: AbortSignal, millis: number): AbortSignal {
  return AbortSignal.any([signal, AbortSignal.timeout(millis)]);
}
