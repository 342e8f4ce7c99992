/** What the worker stamps on the upgrades that it hands to the relay object of a session. */

/** The requestor's upgrade, which opens the session. */
export interface Opening {
  readonly provider: string;
  /** Raw public key of the requestor, base64url. */
  readonly requestorKey: string;
  readonly epoch: number;
  /** The signed upgrade as it came: the agent judges it by itself. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly requestId: string;
}

/** The upgrade of a party of an existing session. */
export interface Joining {
  readonly keyId: string;
  /** The id that the key has as a provider. */
  readonly provider: string;
  readonly epoch: number;
  readonly requestId: string;
}

export const RELAY_PATHS = { open: '/open', join: '/join' } as const;

/** Reached by `fetch` alone, with a stamped upgrade. */
export type RelayPort = Rpc.DurableObjectBranded;
