/** What happened to each VM, for its owner to read: written with what it tells about, in one transaction. */
import { LIMITS } from '@vm-on-golem/shared/limits';
import type { VmEventsPage } from '@vm-on-golem/shared/vm-records';
import { AGENT_LIMITS } from '../../limits.ts';
import type { Happening, Observer } from '../recorder.ts';
import type { Store } from '../store/store.ts';
import { Waiting } from '../waiting.ts';
import { VmEventTable } from './table.ts';

export interface EventsQuery {
  /** Only events with a higher number. */
  readonly after: number;
  /** Seconds that the answer is held open for until there is one. */
  readonly wait: number;
  readonly limit: number;
}

export class History implements Observer {
  readonly #table: VmEventTable;
  readonly #waiting = new Waiting();

  constructor(store: Store) {
    this.#table = new VmEventTable(store.db);
  }

  happened({ vmId, at, kind, by, message }: Happening & { readonly at: number }): void {
    const text = message?.replaceAll(/\p{Cc}/gu, ' ').slice(0, LIMITS.vm.reasonChars);
    this.#table.append({ vmId, at, kind, by, message: text }, AGENT_LIMITS.vms.events);
    // The transaction ends before anything else runs; whoever waits then finds the event, or it never was.
    queueMicrotask(() => this.#waiting.wake(vmId));
  }

  /** Held open until there is an event past `after`, `wait` seconds at most. */
  async read(
    vmId: string,
    { after, wait, limit }: EventsQuery,
    signal: AbortSignal,
  ): Promise<VmEventsPage> {
    const news = () => this.#table.after(vmId, after, 1).length > 0;
    await this.#waiting.for(vmId, { millis: wait * 1000, signal, news });
    const events = this.#table.after(vmId, after, limit);
    return {
      events: events.map(({ n, at, kind, by, message }) => ({
        ...{ n, at: new Date(at).toISOString(), kind, by },
        ...(message === null ? {} : { message }),
      })),
    };
  }

  /** Ends all waits. */
  stop(): void {
    this.#waiting.wakeAll();
  }
}
