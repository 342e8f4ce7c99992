/** What providers have written down about VMs: what happened to them, and what they cost. */
import { paths } from '@vm-on-golem/shared/api';
import { LIMITS } from '@vm-on-golem/shared/limits';
import {
  usagePageSchema,
  vmEventsPageSchema,
  type UsageRecord,
  type VmEvent,
} from '@vm-on-golem/shared/vm-records';
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

  /** All that are kept, oldest first. */
  async events(provider: string, vmId: string, signal: AbortSignal): Promise<VmEvent[]> {
    const all: VmEvent[] = [];
    for (;;) {
      const query = `?after=${all.at(-1)?.n ?? 0}&limit=${LIMITS.vm.pageRecords}`;
      const path = paths.vmPart(provider, vmId, 'events') + query;
      const call = { method: 'GET', path, signal } as const;
      const { events } = await this.#transport.call(provider, vmEventsPageSchema, call);
      // A provider that gives the same again and again is not followed for ever.
      const news = events.filter(({ n }) => n > (all.at(-1)?.n ?? 0));
      all.push(...news);
      if (news.length < LIMITS.vm.pageRecords) return all;
    }
  }

  /** Page by page; of one VM, or of all that this requestor ever had there. */
  async *usage(
    provider: string,
    vmId: string | undefined,
    signal: AbortSignal,
  ): AsyncGenerator<Usage> {
    const vm = vmId === undefined ? [] : [['vm', vmId]];
    for (let cursor: string | undefined; ;) {
      const query = new URLSearchParams([
        ...vm,
        ...(cursor === undefined ? [] : [['cursor', cursor]]),
      ]);
      const path = `${paths.usage(provider)}${query.size > 0 ? `?${query}` : ''}`;
      const page = await this.#transport.call(provider, usagePageSchema, {
        ...{ method: 'GET', path, signal },
      });
      yield page;
      if (page.next === null || page.next === cursor) return;
      cursor = page.next;
    }
  }
}
