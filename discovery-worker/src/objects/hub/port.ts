/** What the worker and the relays may ask of a hub, and which hub to ask. */
import type { WireAnswer } from '@vm-on-golem/shared/answers';
import type { WireRequest } from '@vm-on-golem/shared/signing';
import type { Outcome } from '../outcome.ts';

/** Stamped on the upgrade of an agent's control socket. */
export interface Arrival {
  readonly provider: string;
  /** IP address, or `unknown`. */
  readonly address: string;
  readonly epoch: number;
  readonly country: string;
  readonly asn: number | null;
  readonly requestId: string;
}

export interface RelayOpening {
  readonly session: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
}

export interface HubPort extends Rpc.DurableObjectBranded {
  /**
   * Resolves with the agent's own answer, untouched. Fails with `provider_not_found`,
   * `provider_offline`, `provider_busy` or `payload_too_large` when nothing was sent, and with
   * `link_lost` or `provider_timeout` when the outcome is unknown.
   */
  request(provider: string, id: string, request: WireRequest): Promise<Outcome<WireAnswer>>;
  /** Asks the agent for its leg of a session; its answer is 200 or a refusal. Fails as above. */
  openRelay(provider: string, id: string, opening: RelayOpening): Promise<Outcome<WireAnswer>>;
  /** Tells the agent that its leg of a session is missing, if the agent can be told. */
  resumeRelay(provider: string, session: string): Promise<void>;
  /** Nobody waits for the answer to `id` any more. */
  cancel(provider: string, id: string): Promise<void>;
  /**
   * Another hub, which the provider has left, shows it under `epoch` and is about to say that it is
   * gone. Resolves when the list has what this hub knows of the provider, if that is newer.
   */
  relist(provider: string, epoch: number): Promise<void>;
  /**
   * The service stops: takes no new requests, waits for answers to those that it has, for some time,
   * and lets the agents go. Resolves when nothing is left to do.
   */
  shutDown(): Promise<void>;
}

/** The hub that `provider` belongs to. */
export function hubOf<Hub extends HubPort>(
  hubs: DurableObjectNamespace<Hub>,
  shards: number,
  provider: string,
): DurableObjectStub<Hub> {
  return hubs.get(hubIdOf(hubs, shards, provider));
}

/** Its id alone, which asks nobody. */
export function hubIdOf<Hub extends HubPort>(
  hubs: DurableObjectNamespace<Hub>,
  shards: number,
  provider: string,
): DurableObjectId {
  return hubs.idFromName(nameOf(shardOf(provider, shards)));
}

export function allHubs<Hub extends HubPort>(
  hubs: DurableObjectNamespace<Hub>,
  shards: number,
): DurableObjectStub<Hub>[] {
  return Array.from({ length: shards }, (_, shard) => hubs.get(hubs.idFromName(nameOf(shard))));
}

const nameOf = (shard: number) => `hub-${shard}`;

/** FNV-1a over the id: even, and the same everywhere and for ever. */
export function shardOf(provider: string, shards: number): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < provider.length; at++) {
    hash = Math.imul(hash ^ provider.charCodeAt(at), 0x01000193);
  }
  return (hash >>> 0) % shards;
}
