/** What VMs have cost, as providers wrote it down. */
import { paths } from '@vm-on-golem/shared/api';
import { usagePageSchema, type UsageRecord } from '@vm-on-golem/shared/vm-records';
import type { CallOptions } from '../ports.ts';
import { costOf, type Cost } from './cost.ts';
import type { Transport } from '../wire/transport.ts';

export interface Usage {
  readonly records: readonly UsageRecord[];
  /** nano-USD, the time up to now included. */
  readonly total: number;
}

export class Books {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** The sums of it, VM by VM. @param options the deadline is that of each page */
  cost(provider: string, vmId: string | undefined, options: CallOptions): Promise<Cost> {
    return costOf(this.usage(provider, vmId, options));
  }

  /**
   * Page by page; of one VM, or of all that this requestor ever had there.
   * @param options the deadline is that of each page
   */
  async *usage(
    provider: string,
    vmId: string | undefined,
    options: CallOptions,
  ): AsyncGenerator<Usage> {
    const vm = vmId === undefined ? [] : [['vm', vmId]];
    for (let cursor: string | undefined; ;) {
      const query = new URLSearchParams([
        ...vm,
        ...(cursor === undefined ? [] : [['cursor', cursor]]),
      ]);
      const path = `${paths.usage(provider)}${query.size > 0 ? `?${query}` : ''}`;
      const call = { method: 'GET', path, ...options } as const;
      const page = await this.#transport.call(provider, usagePageSchema, call);
      yield page;
      if (page.next === null || page.next === cursor) return;
      cursor = page.next;
    }
  }
}
