/** What happened to a VM, as its provider wrote it down; also after its end, by its id. */
import { paths } from '@vm-on-golem/shared/api';
import { LIMITS } from '@vm-on-golem/shared/limits';
import { vmEventsPageSchema, type VmEvent } from '@vm-on-golem/shared/vm-records';
import type { CallOptions } from '../ports.ts';
import { within } from '../wire/deadline.ts';
import type { Transport } from '../wire/transport.ts';

/** Between two looks that found nothing, as a provider may not hold its answer open. */
const PAUSE_MILLIS = 500;
/** Nothing follows upon it. */
const LAST = 'destroy.done';

export class VmEvents {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** All that are kept, oldest first. */
  all(provider: string, vmId: string, options: CallOptions): Promise<VmEvent[]> {
    return within(options, async (signal) => {
      const all: VmEvent[] = [];
      for (;;) {
        const news = await this.#page(provider, vmId, { after: all.at(-1)?.n ?? 0, signal });
        all.push(...news);
        if (news.length < LIMITS.vm.pageRecords) return all;
      }
    });
  }

  /** Everything past `after` as it happens, across lost links, until the VM is gone or `signal` aborts. */
  async *follow(
    provider: string,
    vmId: string,
    { after = 0, signal }: { readonly after?: number; readonly signal: AbortSignal },
  ): AsyncGenerator<VmEvent> {
    for (let seen = after; ;) {
      const page = { after: seen, wait: LIMITS.operation.waitSeconds, signal };
      const news = await this.#transport.persistently(signal, () =>
        this.#page(provider, vmId, page),
      );
      for (const event of news) {
        yield event;
        if (event.kind === LAST) return;
      }
      seen = news.at(-1)?.n ?? seen;
      if (news.length === 0) await this.#transport.pause(PAUSE_MILLIS, signal);
    }
  }

  /** A provider that gives the same again and again is not followed for ever. */
  async #page(
    provider: string,
    vmId: string,
    {
      after,
      wait,
      signal,
    }: { readonly after: number; readonly wait?: number; readonly signal: AbortSignal },
  ): Promise<VmEvent[]> {
    const held = wait === undefined ? '' : `&wait=${wait}`;
    const query = `?after=${after}${held}&limit=${LIMITS.vm.pageRecords}`;
    const path = paths.vmPart(provider, vmId, 'events') + query;
    const call = { method: 'GET', path, signal } as const;
    const { events } = await this.#transport.call(provider, vmEventsPageSchema, call);
    let last = after;
    return events.filter(({ n }) => n > last && (last = n) === n);
  }
}
