/**
 * The port behind which the networks of guests stand: what a guest can reach, and how we reach it.
 *
 * Guests outlive the agent, so a network keeps nothing in memory that it could not find again: its
 * devices, rules and processes carry a prefix of its own and the guest's number or id.
 */
import type { Duplex } from 'node:stream';
import type { DriverFacts } from '../../driver.ts';
import type { Qmp } from '../qmp.ts';

/** What every network device of the host that belongs to a guest starts with. */
export const GUEST_DEVICE = 'golem';

/** What an operator may choose between. */
export const NETWORKS = ['auto', 'tap', 'pasta', 'restricted'] as const;
export type NetworkChoice = (typeof NETWORKS)[number];

/** Of a network with rules between guests and everything else. */
export interface IsolationOptions {
  /** A folder of its own. */
  readonly dir: string;
  readonly resolvers: readonly string[];
  /** Addresses that are closed beside those that the machine says: the provider's public ones. */
  readonly closed: readonly string[];
  /** What a guest may send and receive when it is opened, in bits per second; undefined for no cap. */
  readonly cap?: (() => number | undefined) | undefined;
}

/** Whom QEMU runs as. */
export interface GuestUser {
  readonly uid: number;
  readonly gid: number;
}

export interface OpenOptions {
  /** Without one QEMU runs as the agent does. */
  readonly user?: GuestUser | undefined;
  readonly signal: AbortSignal;
}

/** What a guest needs to be started into its network. */
export interface Connection {
  /** Arguments of QEMU that give the guest its network card. */
  readonly arguments: readonly string[];
  /** The command that runs `command` where the network is. It is to be run as the guest's user. */
  wrap(command: readonly string[]): readonly string[];
}

/** Bytes between a guest and the Internet since it was made. They never fall while it exists. */
export interface Traffic {
  readonly receivedBytes: number;
  readonly sentBytes: number;
}

export interface SweptGuest {
  readonly vmId: string;
  readonly running: boolean;
}

export interface GuestNetwork {
  readonly isolation: DriverFacts['isolation'];

  /** The `network-config` document of the guest's seed. The same for as long as the guest exists. */
  document(vmId: string): Promise<string>;

  /**
   * Before every start of a guest, whether or not it is open already.
   * @throws {DriverError} `failed` | `unavailable` | `aborted`; nothing of it is left then
   */
  open(vmId: string, options: OpenOptions): Promise<Connection>;

  /** After the guest has ended; it may be started again. A closed one is a success. */
  close(vmId: string): Promise<void>;

  /** After the guest has been destroyed: nothing of it is kept. Closes it as well. */
  forget(vmId: string): Promise<void>;

  /**
   * Once at start-up: removes what belongs to no guest.
   * @param guests all that exist; what runs is left as it is, the others are closed
   */
  sweep(guests: readonly SweptGuest[]): Promise<void>;

  /** The way to the SSH port of a guest that runs, also when an earlier agent opened its network. */
  locate(vmId: string, qmp: Qmp): Promise<SshEndpoint>;

  /** @returns undefined where nobody counts, or the guest's network was never opened */
  traffic(vmId: string): Promise<Traffic | undefined>;

  /**
   * Caps both directions of a guest that was opened, each by itself, until another cap is set.
   * @param bitsPerSecond undefined for no cap
   */
  limit(vmId: string, bitsPerSecond: number | undefined): Promise<void>;

  /**
   * From time to time, as the machine moves between networks and others change its rules: closes what
   * has become its own, and puts back what is missing.
   * @param publicAddresses under which the machine is seen from the Internet
   */
  refresh(publicAddresses: readonly string[]): Promise<void>;
}

export interface SshEndpoint {
  dial(signal: AbortSignal): Promise<Duplex>;
}
