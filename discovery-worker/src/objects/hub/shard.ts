/** Which providers belong to a hub. Their number of hubs is a setting: when it changes, some move. */
import { hubIdOf, hubOf, type HubPort } from './port.ts';

interface Options<Hub extends HubPort> {
  readonly id: DurableObjectId;
  readonly storage: Pick<SyncKvStorage, 'get' | 'put'>;
  readonly hubs: DurableObjectNamespace<Hub>;
  /** How many hubs there are now. */
  readonly shards: number;
}

const SHARDS = 'shards';

export class Shard<Hub extends HubPort> {
  readonly #options: Options<Hub>;

  constructor(options: Options<Hub>) {
    this.#options = options;
  }

  /** Whether the number of hubs is another one than when this was asked last. */
  hasChanged(): boolean {
    const { storage, shards } = this.#options;
    const last = storage.get<number>(SHARDS);
    if (last !== shards) storage.put(SHARDS, shards);
    return last !== undefined && last !== shards;
  }

  isOurs(provider: string): boolean {
    const { id, hubs, shards } = this.#options;
    return hubIdOf(hubs, shards, provider).equals(id);
  }

  /** The hub that the provider belongs to. */
  hubOf(provider: string): DurableObjectStub<Hub> {
    const { hubs, shards } = this.#options;
    return hubOf(hubs, shards, provider);
  }
}
