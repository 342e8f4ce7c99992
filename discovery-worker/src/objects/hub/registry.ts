/** What a hub knows of its providers, in its storage: it outlives sockets and hibernation. */
import { saveListings, type Listing } from '../../db/providers.ts';
import {
  NEVER_SEEN,
  reduce,
  type Presence,
  type PresenceEffect,
  type PresenceEvent,
} from './presence.ts';

type Storage = Pick<SyncKvStorage, 'get' | 'put' | 'list'>;

const PREFIX = 'provider:';

export class Registry {
  readonly #storage: Storage;
  /** Providers whose listing is newer than the written one. */
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
    if (step.state.revision > step.state.written) this.#unwritten.add(provider);
    return step;
  }

  /** Brings the list up to date; changes that come meanwhile go with the next batch. */
  flush(database: D1Database): Promise<void> {
    this.#flushing ??= this.#writeAll(database).finally(() => (this.#flushing = undefined));
    return this.#flushing;
  }

  async #writeAll(database: D1Database): Promise<void> {
    while (this.#unwritten.size > 0) {
      const batch = [...this.#unwritten].slice(0, BATCH).flatMap((provider) => {
        const state = this.get(provider);
        return state?.shown ? [{ provider, state, listing: listingOf(provider, state.shown) }] : [];
      });
      await saveListings(
        database,
        batch.map(({ listing }) => listing),
      );
      for (const { provider, state } of batch) {
        this.#unwritten.delete(provider);
        this.apply(provider, { kind: 'written', revision: state.revision });
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
