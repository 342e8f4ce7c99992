/** Operations on a guest that is there, which end with it at rest. All may be begun twice. */
import { GolemError } from '@vm-on-golem/shared/errors';
import { DriverError } from '../../drivers/driver.ts';
import { AGENT_LIMITS } from '../../limits.ts';
import { within, type LifecycleOptions, type Outcome, type Steps, type Task } from './steps.ts';

const { changeMillis, stopGraceMillis } = AGENT_LIMITS.vms;

export class Changes {
  readonly #options: LifecycleOptions;
  readonly #steps: Steps;

  constructor(options: LifecycleOptions, steps: Steps) {
    this.#options = options;
    this.#steps = steps;
  }

  async stop(task: Task): Promise<void> {
    const { vm, operation, signal } = task;
    await this.#steps.attempt(task, 'internal', async () => {
      this.#steps.stage(operation, 'shutdown');
      const { graceMillis: graceMs = stopGraceMillis } = operation.args;
      await this.#options.driver.stop(vm.id, { graceMs, signal });
      return { stage: 'stopped', event: 'down' };
    });
  }

  async suspend(task: Task): Promise<void> {
    await this.#steps.attempt(task, 'internal', async () => {
      this.#steps.stage(task.operation, 'save');
      await this.#options.driver.suspend(task.vm.id, within(task.signal, changeMillis));
      return { stage: 'suspended', event: 'saved' };
    });
  }

  async resize(task: Task): Promise<void> {
    const { resources, hourlyPrice, storagePrice } = task.operation.args;
    if (!resources || hourlyPrice === undefined || storagePrice === undefined) {
      throw new TypeError('a resize has a size and a price');
    }
    await this.#change(
      task,
      (signal) => this.#options.driver.resize(task.vm.id, resources, signal),
      { resources, hourlyPrice, storagePrice, growing: null },
    );
  }

  async snapshot(task: Task): Promise<void> {
    await this.#change(task, async (signal) => {
      try {
        await this.#options.driver.snapshot(task.vm.id, snapshotOf(task), signal);
      } catch (error) {
        // It was made before the agent was killed: that there was none before was checked.
        const isMade = error instanceof DriverError && error.code === 'exists' && task.again;
        if (!isMade) throw said(error);
      }
    });
  }

  async restore(task: Task): Promise<void> {
    await this.#change(task, async (signal) => {
      try {
        await this.#options.driver.restore(task.vm.id, snapshotOf(task), signal);
      } catch (error) {
        throw said(error);
      }
    });
  }

  async deleteSnapshot(task: Task): Promise<void> {
    await this.#change(task, (signal) =>
      this.#options.driver.deleteSnapshot(task.vm.id, snapshotOf(task), signal),
    );
  }

  async #change(
    task: Task,
    work: (signal: AbortSignal) => Promise<void>,
    change: Outcome['change'] = {},
  ): Promise<void> {
    await this.#steps.attempt(task, 'internal', async () => {
      this.#steps.stage(task.operation, 'change');
      await work(within(task.signal, changeMillis));
      return { stage: 'changed', event: 'down', change };
    });
  }
}

function snapshotOf({ operation }: Task): string {
  const { snapshot } = operation.args;
  if (snapshot === undefined) throw new TypeError(`${operation.kind} has the name of a snapshot`);
  return snapshot;
}

function said(error: unknown): unknown {
  if (!(error instanceof DriverError)) return error;
  if (error.code === 'exists') {
    return new GolemError('wrong_state', 'There is a snapshot of this name already.', {
      cause: error,
    });
  }
  if (error.code !== 'no_snapshot') return error;
  return new GolemError('not_found', 'There is no snapshot of this name.', { cause: error });
}
