/**
 * The intent log: every operation and each of its stages is on disk before the step is done. What
 * concerns one VM happens one after the other.
 */
import type { Stage } from '@vm-on-golem/shared/api';
import type { GolemError } from '@vm-on-golem/shared/errors';
import { newOperationId } from '@vm-on-golem/shared/ids';
import type { Logger } from 'pino';
import { currentRequest, onBehalfOf } from '../log/context.ts';
import type { Recorder } from './recorder.ts';
import type { NewOperation, OperationRecord } from './records.ts';
import type { Store } from './store/store.ts';
import { Waiting } from './waiting.ts';

/** Why work on a VM was broken off. */
export const BREAK = {
  /** The agent stops. The operation stays open: the next start goes on with it. */
  shutdown: 'shutdown',
  /** The VM's owner wants it removed, whatever is being done with it. */
  destroyed: 'destroyed',
} as const;

export interface OperationsOptions {
  readonly store: Store;
  readonly recorder: Recorder;
  readonly now: () => number;
  readonly log: Logger;
}

/** Does the work. Must end the operation, unless `signal` was aborted by `BREAK.shutdown`. */
export type Work = (signal: AbortSignal) => Promise<void>;

export class Operations {
  readonly #store: Store;
  readonly #recorder: Recorder;
  readonly #now: () => number;
  readonly #log: Logger;
  /** The last work that each VM waits for. */
  readonly #queues = new Map<string, Promise<void>>();
  readonly #current = new Map<string, AbortController>();
  readonly #waiting = new Waiting();
  #stopping = false;

  constructor({ store, recorder, now, log }: OperationsOptions) {
    this.#store = store;
    this.#recorder = recorder;
    this.#now = now;
    this.#log = log;
  }

  /** Opens an operation, inside the caller's transaction. */
  begin(asked: Omit<NewOperation, 'id' | 'request'>, message?: string): OperationRecord {
    const operation = { id: newOperationId(), request: currentRequest(), ...asked };
    const { id, vmId, kind, actor } = operation;
    this.#store.operations.insert(operation);
    this.#store.operations.appendEvent(id, 'accepted', this.#now());
    this.#recorder.happened({
      ...{ vmId, kind, by: actor },
      ...(message === undefined ? {} : { message }),
    });
    return { ...operation, state: 'running', error: undefined };
  }

  /** Writes down that `stage` begins. */
  stage(operation: string, stage: Stage): void {
    this.#store.operations.appendEvent(operation, stage, this.#now());
    this.#wake(operation);
  }

  /**
   * Ends an operation, together with what `settle` writes about its VM.
   * @param error none when it succeeded
   */
  finish(operation: string, stage: Stage, settle: () => void, error?: GolemError): void {
    this.#store.transaction(() => {
      const open = this.#store.operations.get(operation);
      settle();
      const now = this.#now();
      const said = error?.toBody(currentRequest()).error;
      this.#store.operations.appendEvent(operation, stage, now);
      this.#store.operations.finish(operation, error ? 'failed' : 'succeeded', said, now);
      if (!open) return;
      this.#recorder.happened({
        vmId: open.vmId,
        kind: `${open.kind}.${error ? 'failed' : 'done'}`,
        by: open.actor,
        ...(said ? { message: said.message } : {}),
      });
    });
    this.#wake(operation);
  }

  /** Whether anything is being done with the VM, or waits to be. */
  isBusy(vmId: string): boolean {
    return this.#queues.has(vmId);
  }

  /**
   * Does `work` after everything else that waits for this VM, on behalf of the request that began the
   * operation: also when that was before the agent was started.
   */
  enqueue(vmId: string, operation: string, work: Work): void {
    if (this.#stopping) return;
    const before = this.#queues.get(vmId) ?? Promise.resolve();
    const request = this.#store.operations.get(operation)?.request;
    const attempt = async () => {
      if (this.#stopping) return;
      const abort = new AbortController();
      this.#current.set(vmId, abort);
      try {
        await work(abort.signal);
      } catch (error) {
        // The operation stays open, and is taken up again with the next look at the hypervisor.
        this.#log.error({ err: error, operation, vm: vmId }, 'an operation broke off');
      } finally {
        this.#current.delete(vmId);
        if (this.#queues.get(vmId) === done) this.#queues.delete(vmId);
      }
    };
    const done = before.then(() => onBehalfOf(request, attempt));
    this.#queues.set(vmId, done);
  }

  /** Breaks off what is being done with the VM at the moment. */
  interrupt(vmId: string): void {
    this.#current.get(vmId)?.abort(BREAK.destroyed);
  }

  /**
   * Resolves when there is an event past `after`, the operation has ended, or `millis` are over.
   * @param signal nobody waits any more
   */
  async change(
    operation: string,
    after: number,
    millis: number,
    signal: AbortSignal,
  ): Promise<void> {
    const news = () =>
      this.#store.operations.get(operation)?.state !== 'running' ||
      this.#store.operations.events(operation, after, 1).length > 0;
    await this.#waiting.for(operation, { millis, signal, news });
  }

  /** Breaks off all work and waits for its end. What is open stays open. */
  async stop(): Promise<void> {
    this.#stopping = true;
    for (const abort of this.#current.values()) abort.abort(BREAK.shutdown);
    this.#waiting.wakeAll();
    await this.idle();
  }

  /** Resolves when nothing is being done with any VM. */
  async idle(): Promise<void> {
    await Promise.all(this.#queues.values());
  }

  #wake(operation: string): void {
    this.#waiting.wake(operation);
  }
}
