/** What requestors may read, and the way into their guests. */
import type { Duplex } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import type { OperationPage, VmsPage, vmsQuerySchema } from '@vm-on-golem/shared/api';
import { GolemError } from '@vm-on-golem/shared/errors';
import { operationIdSchema } from '@vm-on-golem/shared/ids';
import { LIMITS } from '@vm-on-golem/shared/limits';
import type { Vm } from '@vm-on-golem/shared/vm';
import type { consoleQuerySchema, Snapshots, Stats } from '@vm-on-golem/shared/vm-commands';
import type { VmEvent, VmEventsPage } from '@vm-on-golem/shared/vm-records';
import type { z } from 'zod';
import { DriverError, type Driver } from '../drivers/driver.ts';
import { AGENT_LIMITS } from '../limits.ts';
import type { Directory } from './directory.ts';
import { sayDriver } from './failures.ts';
import type { EventsQuery, History } from './history/history.ts';
import type { Operations } from './operations.ts';
import { showConsole, type ConsoleText } from './console-text.ts';
import { readCursor, vmsPage } from './pages.ts';
import type { VmRecord } from './records.ts';
import type { Store } from './store/store.ts';

export interface QueriesOptions {
  readonly store: Store;
  readonly directory: Directory;
  readonly operations: Operations;
  readonly driver: Pick<Driver, 'dial' | 'console' | 'usage' | 'snapshots'>;
  readonly history: History;
  /** Whether this provider lets a key in where others share with it. */
  readonly serves: (requestor: string) => boolean;
  readonly now: () => number;
}

export class VmQueries {
  readonly #options: QueriesOptions;
  readonly #stopped = new AbortController();

  constructor(options: QueriesOptions) {
    this.#options = options;
  }

  /** @param ref id, or name among the VMs that `requestor` has or is given */
  get(requestor: string, ref: string): Vm {
    const { directory } = this.#options;
    return directory.showTo(requestor, directory.visible(requestor, ref));
  }

  /**
   * What happened to a VM, also when it is gone; by its name, if it is not. With whom else it is shared
   * is its owner's to know.
   */
  async events(
    requestor: string,
    ref: string,
    query: EventsQuery,
    signal: AbortSignal,
  ): Promise<VmEventsPage> {
    const { directory, history } = this.#options;
    const vm = directory.remembered(requestor, ref);
    const page = await history.read(vm.id, query, signal);
    if (vm.owner === requestor) return page;
    return { events: page.events.map((event) => withoutOthers(event, requestor)) };
  }

  list(requestor: string, { cursor, limit }: z.infer<typeof vmsQuerySchema>): VmsPage {
    const { store, directory, serves } = this.#options;
    const count = limit ?? LIMITS.list.pageDefault;
    const whose = { requestor, shared: serves(requestor) };
    const records = store.vms.visibleTo(whose, readCursor(cursor), count + 1);
    return vmsPage(records, count, (vm) => directory.showTo(requestor, vm));
  }

  /** Held open until there is an event past `after`, `wait` seconds at most. */
  async operation(
    owner: string,
    id: string,
    { after, wait }: { readonly after: number; readonly wait: number },
    signal: AbortSignal,
  ): Promise<OperationPage> {
    const { store, directory, operations } = this.#options;
    const isTheirs = () => {
      const isId = operationIdSchema.safeParse(id).success;
      const found = isId ? store.operations.get(id) : undefined;
      if (!found || found.owner !== owner) throw new GolemError('operation_not_found');
      return found;
    };
    const asked = store.vms.get(isTheirs().vmId);
    if (asked) directory.collect(asked);
    await operations.change(id, after, wait * 1000, signal);
    const { vmId, kind, state, error } = isTheirs();
    const vm = store.vms.get(vmId);
    const events = store.operations.events(id, after, LIMITS.operation.pageEvents);
    return {
      id,
      vmId,
      kind,
      state,
      events: events.map(({ n, at, stage }) => ({ n, at: new Date(at).toISOString(), stage })),
      vm: vm ? directory.show(vm) : null,
      ...(error === undefined ? {} : { error }),
    };
  }

  /**
   * The end of what the guest wrote; with `after` what follows it, held open until there is something,
   * `wait` seconds at most. Looked at with every try: who is shut out meanwhile reads no more.
   */
  async console(
    requestor: string,
    ref: string,
    { bytes = LIMITS.vm.consoleBytes, after, wait = 0, epoch }: z.infer<typeof consoleQuerySchema>,
    signal: AbortSignal,
  ): Promise<ConsoleText> {
    const { consolePollMillis: pause, pageBytes } = AGENT_LIMITS.vms;
    const read = (offset: number | undefined) =>
      this.#ask(requestor, ref, ({ id }, driver) => driver.console(id, bytes, offset));
    for (let left = wait * 1000; ; left -= pause) {
      let part = await read(after);
      const begunAnew = after !== undefined && epoch !== undefined && part.epoch !== epoch;
      if (begunAnew) part = await read(0);
      const shown = showConsole(part, after === undefined ? 'last' : 'first', pageBytes);
      if (after === undefined || shown.text !== '' || begunAnew || left <= 0) return shown;
      const waiting = AbortSignal.any([signal, this.#stopped.signal]);
      if (waiting.aborted) return shown;
      await sleep(pause, undefined, { signal: waiting }).catch(() => {
        // Nobody waits any more: the next look is the answer.
        left = 0;
      });
    }
  }

  /** Ends all waits for consoles. */
  stop(): void {
    this.#stopped.abort();
  }

  async stats(requestor: string, ref: string): Promise<Stats> {
    const usage = await this.#ask(requestor, ref, ({ id }, driver) => driver.usage(id));
    return {
      at: new Date(this.#options.now()).toISOString(),
      cpuSeconds: usage.cpuSeconds ?? null,
      memoryBytes: usage.memoryBytes ?? null,
      diskBytes: usage.diskBytes ?? null,
      receivedBytes: usage.receivedBytes ?? null,
      sentBytes: usage.sentBytes ?? null,
    };
  }

  async snapshots(requestor: string, ref: string): Promise<Snapshots> {
    const snapshots = await this.#ask(requestor, ref, ({ id }, driver) => driver.snapshots(id));
    return {
      snapshots: snapshots.map(({ name, createdAt }) => ({
        name,
        createdAt: new Date(createdAt).toISOString(),
      })),
    };
  }

  /**
   * The id of a VM that `requestor` may go into.
   * @throws {GolemError} `vm_not_found`, `vm_gone`
   */
  locate(requestor: string, ref: string): string {
    return this.#options.directory.visible(requestor, ref).id;
  }

  /**
   * A byte stream to the SSH port of a VM.
   * @throws {GolemError} `vm_not_found`, `wrong_state`
   */
  async dial(vmId: string, signal: AbortSignal): Promise<Duplex> {
    const vm = this.#options.store.vms.get(vmId);
    if (!vm) throw new GolemError('vm_not_found');
    if (vm.phase !== 'running') throw notRunning(vm);
    try {
      return await this.#options.driver.dial(vm.id, signal);
    } catch (error) {
      if (!(error instanceof DriverError)) throw error;
      if (error.code === 'not_running' || error.code === 'absent') throw notRunning(vm, error);
      throw new GolemError('internal', `The guest cannot be reached: ${error.message}`, {
        cause: error,
      });
    }
  }

  async #ask<Result>(
    requestor: string,
    ref: string,
    ask: (vm: VmRecord, driver: QueriesOptions['driver']) => Promise<Result>,
  ): Promise<Result> {
    const vm = this.#options.directory.visible(requestor, ref);
    try {
      return await ask(vm, this.#options.driver);
    } catch (error) {
      throw sayDriver(error);
    }
  }
}

function withoutOthers({ message, ...event }: VmEvent, requestor: string): VmEvent {
  const isGrant = event.kind === 'share' || event.kind === 'unshare';
  return message === undefined || (isGrant && message !== requestor)
    ? event
    : { ...event, message };
}

function notRunning(vm: VmRecord, cause?: DriverError): GolemError {
  const said = vm.phase === 'running' ? 'not running' : vm.phase;
  const hint = {
    stopped: `Start it first: golem vm start ${vm.name}`,
    suspended: `Let it go on first: golem vm resume ${vm.name}`,
  }[vm.phase as string];
  return new GolemError('wrong_state', `The VM is ${said}.`, {
    ...(hint === undefined ? {} : { hint }),
    cause,
  });
}
