/** The points at which an agent can be killed: around every commit of its store and every step of its driver. */
import type { Driver } from '../../src/drivers/driver.ts';
import type { MemoryFaults } from '../../src/drivers/memory/faults.ts';
import type { Store } from '../../src/vms/store/store.ts';
import { overlay } from '../provider.ts';

const STEPS = [
  ...['launch', 'start', 'stop', 'suspend', 'snapshot', 'restore', 'deleteSnapshot', 'resize'],
  ...['destroy', 'list', 'inspect'],
] as const satisfies readonly (keyof Driver)[];

export class Points {
  /** What was passed, in order. */
  readonly passed: string[] = [];
  readonly #killAt: number | undefined;
  #isCommitting = false;

  /** @param killAt number of a point, from 1 on; the process ends there */
  constructor(killAt: number | undefined) {
    this.#killAt = killAt;
  }

  pass(name: string): void {
    this.passed.push(name);
    // Nothing runs behind this: a signal to oneself has arrived when the call returns.
    if (this.passed.length === this.#killAt) process.kill(process.pid, 'SIGKILL');
  }

  /** Before and after everything that the store writes. */
  readonly store = (store: Store): void => {
    const { db } = store;
    const { transaction, run } = db;
    db.transaction = <Result>(work: () => Result): Result => {
      if (this.#isCommitting) return work();
      this.#isCommitting = true;
      try {
        const result = transaction.call(db, () => {
          const done = work();
          this.pass('before a commit');
          return done;
        }) as Result;
        this.pass('after a commit');
        return result;
      } finally {
        this.#isCommitting = false;
      }
    };
    db.run = (sql, ...values) => {
      if (this.#isCommitting) return run.call(db, sql, ...values);
      this.pass('before a write');
      run.call(db, sql, ...values);
      this.pass('after a write');
    };
  };

  /** Before and after everything that the driver does. */
  readonly driver = (driver: Driver): Driver => {
    const steps = STEPS.map((step) => [
      step,
      async (...args: unknown[]) => {
        this.pass(`before ${step}`);
        const method = driver[step] as (...args: unknown[]) => Promise<unknown>;
        const result = await Reflect.apply(method, driver, args);
        this.pass(`after ${step}`);
        return result;
      },
    ]);
    return overlay(driver, Object.fromEntries(steps) as Partial<Driver>);
  };

  /** In the middle of what the driver does. */
  get faults(): MemoryFaults {
    const boot = (what: string) => async (_vmId: string, stage: string) =>
      this.pass(`${what}: ${stage}`);
    const step = (what: string) => async () => this.pass(`in ${what}`);
    return {
      launch: boot('launch'),
      start: boot('start'),
      stop: step('stop'),
      suspend: step('suspend'),
      change: step('change'),
      destroy: step('destroy'),
    };
  }
}
