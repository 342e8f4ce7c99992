/** Keeps the list of providers, and the hub's alarm, in line with what the hub knows. */
import { DISCOVERY_LIMITS } from '../../limits.ts';
import { dueAt, type Presence } from './presence.ts';
import type { Registry } from './registry.ts';
import type { HubPort } from './port.ts';
import type { Shard } from './shard.ts';

const { retryMillis } = DISCOVERY_LIMITS.hub;

interface Options {
  readonly database: D1Database;
  readonly storage: Pick<DurableObjectStorage, 'getAlarm' | 'setAlarm'>;
  readonly registry: Registry;
  readonly shard: Shard<HubPort>;
}

export class Upkeep {
  readonly #options: Options;

  constructor(options: Options) {
    this.#options = options;
  }

  /** After something happened. What fails is tried again. */
  async follow(provider: string, state: Presence): Promise<void> {
    const due = dueAt(state, null);
    if (due !== null) await this.sweepBy(due);
    await this.tidy(provider, state);
  }

  /** Writes what is new, and forgets who has moved. What fails is tried again. */
  async tidy(provider: string, state: Presence): Promise<void> {
    try {
      await this.list(provider, state);
      this.#forgetMoved(provider);
    } catch (error) {
      console.error('the list of providers could not be written', error);
      await this.sweepBy(Date.now() + retryMillis);
    }
  }

  /** Resolves when the list shows at least this state. */
  async list(provider: string, { revision, written, shown }: Presence): Promise<void> {
    if (revision === written) return;
    const { database, registry, shard } = this.#options;
    // A provider that has moved was welcomed by its hub before it left this one; whether that hub
    // has written so is another matter, and it may not even know that there is something to write.
    if (shown?.online === false && !shard.isOurs(provider)) {
      await shard.hubOf(provider).relist(provider, shown.epoch);
    }
    await registry.write(database, provider);
  }

  async sweepBy(time: number): Promise<void> {
    const { storage } = this.#options;
    const set = await storage.getAlarm();
    if (set === null || set > time) await storage.setAlarm(time);
  }

  /** Otherwise every hub would in time know, and sweep, whoever was there once. */
  #forgetMoved(provider: string): void {
    const { registry, shard } = this.#options;
    const state = registry.get(provider);
    if (state?.phase !== 'absent' || state.revision !== state.written) return;
    if (!shard.isOurs(provider)) registry.forget(provider);
  }
}
