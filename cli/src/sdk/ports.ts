/**
 * What the SDK remembers by, whoever keeps it: the files of a person, the storage of a Worker,
 * memory. It is a cache: what counts is what providers sign. Nothing here knows Node.
 */
import type { Vm } from '@vm-on-golem/shared/vm';

/** A VM that is rented, or that may be: remembered before it is asked for. */
export interface Rental {
  /** What its owner calls it here; unique among the rentals that are kept together. */
  readonly name: string;
  /** `gp_...`. */
  readonly provider: string;
  /** URL of the discovery service that reaches the provider; that of the client if unsaid. */
  readonly discovery?: string | undefined;
  /** A creation that was sent, and of which no end was seen yet. */
  readonly pending?: PendingCreation | undefined;
  /** As the provider last signed it. */
  readonly vm?: Vm | undefined;
  /** Private key file for SSH, where there are files. */
  readonly sshKey?: string | undefined;
  /** When the provider last signed `vm`. ISO 8601. */
  readonly seenAt?: string | undefined;
}

/** To be sent again as it is: the key belongs to these bytes. */
export interface PendingCreation {
  readonly idempotencyKey: string;
  readonly body: string;
  /** `op_...`, once the provider has accepted it. */
  readonly operation?: string | undefined;
}

/** Rentals of one requestor. Several programs at once may read and write them. */
export interface Rentals {
  /** In the order of their names. */
  all(): Promise<readonly Rental[]>;
  get(name: string): Promise<Rental | undefined>;
  /** Takes a name that nothing has. @returns false, and leaves all as it is, if something has */
  claim(name: string, first: Rental): Promise<boolean>;
  /**
   * Changes the rental of this name, unless it is another VM's by now: no other update comes between
   * what `change` is shown and what it gives.
   * @param vmId id of the VM that is meant, or undefined while none is known; a rental whose VM has
   * another id, or that is not there, stays as it is
   * @param change gives what is to be kept, or undefined to forget it
   */
  update(
    name: string,
    vmId: string | undefined,
    change: (now: Rental) => Rental | undefined,
  ): Promise<void>;
}

/** What every call to the network takes. */
export interface CallOptions {
  readonly signal: AbortSignal;
  /** Milliseconds that the call may take with all its tries and waits; no bound of its own if unsaid. */
  readonly deadlineMillis?: number | undefined;
}
