/** What requestors may read, and the way into their guests. Changes nothing. */
import type { Duplex } from 'node:stream';
import type { OperationPage, VmsPage, vmsQuerySchema } from '@vm-on-golem/shared/api';
import { GolemError } from '@vm-on-golem/shared/errors';
import { operationIdSchema } from '@vm-on-golem/shared/ids';
import { LIMITS } from '@vm-on-golem/shared/limits';
import type { Vm } from '@vm-on-golem/shared/vm';
import type { z } from 'zod';
import { DriverError, type Driver } from '../drivers/driver.ts';
import type { Directory } from './directory.ts';
import type { Operations } from './operations.ts';
import { readCursor, vmsPage } from './pages.ts';
import type { VmRecord } from './records.ts';
import type { Store } from './store/store.ts';

export interface QueriesOptions {
  readonly store: Store;
  readonly directory: Directory;
  readonly operations: Operations;
  readonly driver: Pick<Driver, 'dial'>;
}

export class VmQueries {
  readonly #options: QueriesOptions;

  constructor(options: QueriesOptions) {
    this.#options = options;
  }

  /** @param ref id, or name among the VMs of `owner` */
  get(owner: string, ref: string): Vm {
    const { directory } = this.#options;
    return directory.show(directory.find(owner, ref));
  }

  list(owner: string, { cursor, limit }: z.infer<typeof vmsQuerySchema>): VmsPage {
    const { store, directory } = this.#options;
    const count = limit ?? LIMITS.list.pageDefault;
    const records = store.vms.of(owner, readCursor(cursor), count + 1);
    return vmsPage(records, count, (vm) => directory.show(vm));
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
    isTheirs();
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
   * A byte stream to the SSH port of a VM of `owner`.
   * @throws {GolemError} `vm_not_found`, `wrong_state`
   */
  async dial(owner: string, ref: string, signal: AbortSignal): Promise<Duplex> {
    const vm = this.#options.directory.find(owner, ref);
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
}

function notRunning(vm: VmRecord, cause?: DriverError): GolemError {
  const said = vm.phase === 'running' ? 'not running' : vm.phase;
  return new GolemError('wrong_state', `The VM is ${said}.`, {
    ...(vm.phase === 'stopped' ? { hint: 'Start it first.' } : {}),
    cause,
  });
}
