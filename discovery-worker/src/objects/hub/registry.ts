/** What a hub knows of its providers, in its storage: it outlives sockets and hibernation. */
import { saveListings, type Listing } from '../../db/providers.ts';
import {
  NEVER_SEEN,
  reduce,
  type Presence,
  type PresenceEffect,
  type PresenceEvent,
} from './presence.ts';

type Storage = Pick<SyncKvStorage, 'get' | 'put' | 'list' | 'delete'>;

const PREFIX = 'provider:';

export class Registry {
  readonly #storage: Storage;
  /** Providers whose listing is to be written now. */
  readonly #unwritten = new Set<string>();
  #flushing: Promise<void> | undefined;

  constructor(storage: Storage) {
    this.#storage = storage;
  }

  get(provider: string): Presence | undefined {
    return this.#storage.get<Presence>(PREFIX + provider);
  }

  *all(): Generator<[provider: string, state: Presence]> {
    for (const [key, state] of this.#storage.list<Presence>({ prefix: PREFIX })) {
      yield [key.slice(PREFIX.length), state];
    }
  }

  apply(
    provider: string,
    event: PresenceEvent,
  ): { state: Presence; effects: readonly PresenceEffect[] } {
    const before = this.get(provider) ?? NEVER_SEEN;
    const step = reduce(before, event);
    if (step.state !== before) this.#storage.put(PREFIX + provider, step.state);
    return step;
  }

  /** Resolves when the list shows the provider as it is now, in a batch with others. */
  async write(database: D1Database, provider: string): Promise<void> {
    this.#unwritten.add(provider);
    while (this.#unwritten.has(provider)) {
      this.#flushing ??= this.#writeAll(database).finally(() => (this.#flushing = undefined));
      await this.#flushing;
    }
  }

  /** A provider that comes back is new here. */
  forget(provider: string): void {
    this.#storage.delete(PREFIX + provider);
  }

  async #writeAll(database: D1Database): Promise<void> {
    while (this.#unwritten.size > 0) {
      const due = [...this.#unwritten].slice(0, BATCH);
      // What changes from here on is to be written once more.
      for (const provider of due) this.#unwritten.delete(provider);
      const batch = due.flatMap((provider) => {
        const { shown, revision, written } = this.get(provider) ?? NEVER_SEEN;
        if (!shown || revision === written) return [];
        return [{ provider, revision, listing: listingOf(provider, shown) }];
      });
      await saveListings(
        database,
        batch.map(({ listing }) => listing),
      );
      for (const { provider, revision } of batch) {
        if (this.get(provider)) this.apply(provider, { kind: 'written', revision });
      }
    }
  }
}

/** Statements in one transaction of D1. */
const BATCH = 50;

function listingOf(provider: string, shown: NonNullable<Presence['shown']>): Listing {
  const { offer, epoch, country, asn, online, since } = shown;
  return { provider, offer, epoch, country, asn, online, since };
}
