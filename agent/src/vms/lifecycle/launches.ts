/** Operations that end with a guest that answers. */
import type { GolemError } from '@vm-on-golem/shared/errors';
import type { GuestSeed } from '../../drivers/driver.ts';
import { AGENT_LIMITS } from '../../limits.ts';
import { BREAK } from '../operations.ts';
import { within, type LifecycleOptions, type Steps, type Task } from './steps.ts';
import { Turns } from './turns.ts';

const { bootPauseMillis, bootTries, bootTurnMillis, imageMillis, stopGraceMillis } =
  AGENT_LIMITS.vms;

export class Launches {
  readonly #options: LifecycleOptions;
  readonly #steps: Steps;
  /** After a reboot of the host guests come back one after the other. */
  readonly #turns = new Turns();

  constructor(options: LifecycleOptions, steps: Steps) {
    this.#options = options;
    this.#steps = steps;
  }

  /** Launches a guest that is not there yet. On failure nothing of it stays. */
  async create(task: Task, seed: GuestSeed): Promise<void> {
    const { driver, images } = this.#options;
    await this.#bringUp(task, async () => {
      this.#steps.stage(task.operation, 'image');
      const image = await images.resolve(task.vm.image, within(task.signal, imageMillis));
      const { id: vmId, resources, hostKey } = task.vm;
      const spec = { vmId, ...resources, image, seed, hostKey };
      await driver.launch(spec, this.#steps.launchContext(task));
    });
  }

  /** Takes up a creation whose guest runs already: it is ready once it proves its host key. */
  async finishCreate(task: Task): Promise<void> {
    await this.#bringUp(task, () => this.#boot(task));
  }

  /** Ends a creation that cannot be finished. */
  async rollBack({ vm, operation }: Pick<Task, 'vm' | 'operation'>, why: GolemError) {
    const { recorder, driver, log } = this.#options;
    recorder.update(vm.id, { removing: true });
    this.#steps.stage(operation, 'rollback');
    try {
      await driver.destroy(vm.id);
    } catch (error) {
      log.error({ err: error, vm: vm.id }, 'a failed VM could not be removed yet');
      this.#steps.finish({ vm, operation }, { stage: 'failed', event: 'leftover' }, why);
      return;
    }
    this.#steps.finish({ vm, operation }, { stage: 'failed', event: 'gone' }, why);
  }

  async start(task: Task): Promise<void> {
    const isOwn = task.operation.actor === 'agent';
    await this.#steps.attempt(task, 'launch_failed', async () => {
      await (isOwn ? this.#insist(task) : this.#boot(task));
      return { stage: 'ready', event: 'up' };
    });
  }

  async restart(task: Task): Promise<void> {
    const { driver, store, recorder } = this.#options;
    const { vm, operation, signal } = task;
    await this.#steps.attempt(task, 'launch_failed', async () => {
      // Once it has begun to boot again it is not stopped a second time.
      if (!store.operations.hasStage(operation.id, 'boot')) {
        this.#steps.stage(operation, 'shutdown');
        const { graceMillis: graceMs = stopGraceMillis } = operation.args;
        await driver.stop(vm.id, { graceMs, signal });
        recorder.update(vm.id, { power: 'off' });
      }
      await this.#boot(task);
      return { stage: 'ready', event: 'up' };
    });
  }

  /** Nobody else tries again: its owner does not know that it has to be started. */
  async #insist(task: Task): Promise<void> {
    const { log, timers } = this.#options;
    const { vm, signal } = task;
    for (let left = bootTries; ; left -= 1) {
      try {
        using turn = new DisposableStack();
        turn.use(await this.#turns.take(signal));
        // One whose sshd never answers does not keep all others down.
        turn.defer(timers.after(bootTurnMillis, () => turn.dispose()));
        await this.#boot(task);
        return;
      } catch (error) {
        if (left <= 1 || signal.aborted) throw error;
        log.warn({ err: error, vm: vm.id }, 'a VM cannot be started yet');
      }
      const { promise, resolve } = Promise.withResolvers<void>();
      const cancel = timers.after(bootPauseMillis, resolve);
      signal.addEventListener('abort', () => resolve(), { once: true });
      await promise;
      cancel();
    }
  }

  async #boot(task: Task): Promise<void> {
    await this.#options.driver.start(task.vm.id, this.#steps.launchContext(task));
  }

  async #bringUp(task: Task, launch: () => Promise<void>): Promise<void> {
    if (this.#steps.endIfDoomed(task)) return;
    try {
      await launch();
    } catch (error) {
      if (task.signal.reason === BREAK.shutdown) return;
      if (this.#steps.endIfDoomed(task)) return;
      await this.rollBack(task, this.#steps.failure(error, 'launch_failed'));
      return;
    }
    this.#steps.finish(task, { stage: 'ready', event: 'up' });
  }
}
