/**
 * The port behind which a hypervisor stands.
 *
 * A driver knows guests by VM id and nothing of owners, prices, leases or sockets. It is the
 * authority on what runs: every answer comes from the hypervisor, never from memory alone, so an
 * agent that was killed finds its guests again by `list()`.
 */
import type { Duplex } from 'node:stream';
import type { ConsolePart } from './console.ts';

/**
 * What a driver can do beyond launch, start, stop and destroy. A method that belongs to a capability
 * that the driver does not name rejects with `unsupported`.
 */
export type Capability = 'suspend' | 'snapshot' | 'resize' | 'clone';

/** How guest instructions run. `none` is the memory driver, which runs no instructions at all. */
export type Accelerator = 'kvm' | 'hvf' | 'tcg' | 'none';

/** What the driver found out about the machine it runs on. */
export interface DriverFacts {
  readonly arch: 'x86_64' | 'aarch64';
  readonly accelerator: Accelerator;
  /** What a guest can reach: `restricted` is nothing but its own SSH port. */
  readonly isolation: 'restricted' | 'full' | 'none';
  readonly version: string;
  /** What bounds a guest's use of the machine, where the driver sees to that itself. */
  readonly confinement?: {
    /** Control groups of the host; with `none` a guest's processors are not bounded. */
    readonly cgroups: 'v2' | 'v1' | 'none';
  };
}

/** A bootable image whose files are on this machine and were checked. */
export interface GuestImage {
  readonly id: string;
  readonly arch: 'x86_64' | 'aarch64';
  /** The account that cloud-init gives the requestor's key to. */
  readonly user: string;
  /**
   * Absolute path of the qcow2 that every guest's disk is made from; or what Multipass calls an image
   * that it fetches itself.
   */
  readonly disk: string;
  /** Set when the image boots without a boot loader of its own. */
  readonly kernel?: { readonly vmlinuz: string; readonly initrd: string; readonly append: string };
  /** A line on the serial console that says sshd is about to answer; spares the guest polling. */
  readonly readyMarker?: string;
  /** The smallest memory that this image boots with, in MiB. */
  readonly minMemoryMiB: number;
}

/**
 * The NoCloud documents, already rendered. They hold the guest's private host key. The third one,
 * `network-config`, is the driver's: only it knows the guest's network.
 */
export interface GuestSeed {
  readonly userData: string;
  readonly metaData: string;
}

export interface GuestSize {
  readonly cpus: number;
  readonly memoryMiB: number;
  readonly storageGiB: number;
}

export interface GuestSpec extends GuestSize {
  readonly vmId: string;
  readonly image: GuestImage;
  readonly seed: GuestSeed;
  /** OpenSSH line (`ssh-ed25519 AAAA...`) of the host key that the seed installs. */
  readonly hostKey: string;
}

/** Named steps of a launch or start, in order; shown to the requestor with the elapsed time. */
export type LaunchStage = 'disk' | 'boot' | 'ssh';

export interface LaunchContext {
  /** Aborting stops the wait; what was already created stays until `destroy`. */
  readonly signal: AbortSignal;
  readonly onStage: (stage: LaunchStage) => void;
}

/**
 * `suspended`: its memory is on the disk, and `start` goes on where it was. `absent`: the hypervisor
 * is certain that there is no such guest. `unknown`: it could not be asked, or its answer made no
 * sense; nobody may treat this as gone.
 */
export type GuestState = 'running' | 'stopped' | 'suspended' | 'absent' | 'unknown';

export interface GuestStatus {
  readonly vmId: string;
  readonly state: GuestState;
}

/** A disk as it was once. */
export interface GuestSnapshot {
  /** Lower-case letters, digits and dashes; starts with a letter; up to 40 characters. */
  readonly name: string;
  /** Milliseconds since 1970. */
  readonly createdAt: number;
}

/** What a running guest uses; `undefined` where the hypervisor does not say. */
export interface GuestUsage {
  /** Since it was last started. */
  readonly cpuSeconds: number | undefined;
  /** What it holds of the host's memory at the moment. */
  readonly memoryBytes: number | undefined;
  /** What its disk and its snapshots take on the host's disk at the moment. */
  readonly diskBytes: number | undefined;
  /** From and to the Internet, as the guest sees it; since it was launched, if the network counts that long. */
  readonly receivedBytes: number | undefined;
  readonly sentBytes: number | undefined;
}

export interface Driver {
  readonly name: 'memory' | 'qemu' | 'multipass';
  readonly capabilities: ReadonlySet<Capability>;

  facts(): Promise<DriverFacts>;

  /**
   * Creates the guest's disk, boots it and resolves once an SSH handshake has proved `hostKey`.
   * @throws {DriverError} `exists` | `failed` | `timeout` | `aborted`. Leftovers are the caller's
   * to remove with `destroy`.
   */
  launch(spec: GuestSpec, context: LaunchContext): Promise<void>;

  /**
   * Boots a stopped guest with its disk, or lets a suspended one go on; as `launch` from there on. A
   * running one is left alone.
   */
  start(vmId: string, context: LaunchContext): Promise<void>;

  /** Asks the guest to shut down, and pulls the plug after `graceMs`. A stopped one is left alone. */
  stop(
    vmId: string,
    options: { readonly graceMs: number; readonly signal: AbortSignal },
  ): Promise<void>;

  /**
   * `suspend`: saves the memory of a running guest to the disk and ends it. A suspended one is left
   * alone. Stopping a suspended guest throws its saved memory away.
   * @throws {DriverError} `not_running`
   */
  suspend(vmId: string, signal: AbortSignal): Promise<void>;

  /**
   * `snapshot`: keeps the disk of a stopped guest as it is, under a name.
   * @throws {DriverError} `not_stopped` | `exists`
   */
  snapshot(vmId: string, name: string, signal: AbortSignal): Promise<void>;

  /**
   * `snapshot`: takes a stopped guest back to a snapshot, which stays.
   * @throws {DriverError} `not_stopped` | `no_snapshot`
   */
  restore(vmId: string, name: string, signal: AbortSignal): Promise<void>;

  /**
   * `snapshot`: forgets one of a stopped guest. One that is not there is a success.
   * @throws {DriverError} `not_stopped`
   */
  deleteSnapshot(vmId: string, name: string, signal: AbortSignal): Promise<void>;

  /** `snapshot`: those of a guest, oldest first. */
  snapshots(vmId: string): Promise<GuestSnapshot[]>;

  /**
   * `resize`: gives a stopped guest another size, which it has from its next start on. Disks only
   * grow.
   * @throws {DriverError} `not_stopped` | `failed`
   */
  resize(vmId: string, size: GuestSize, signal: AbortSignal): Promise<void>;

  /** What a guest uses. Of a stopped one only the disk is known. */
  usage(vmId: string): Promise<GuestUsage>;

  /** Ends the guest and removes all that belongs to it. An absent one is a success. */
  destroy(vmId: string): Promise<void>;

  inspect(vmId: string): Promise<GuestStatus>;

  /** All guests of this driver's state directory, half-made ones included. */
  list(): Promise<GuestStatus[]>;

  /**
   * A byte stream to the guest's SSH port. The only way in.
   * @param signal ends the wait for it; the stream outlives it
   */
  dial(vmId: string, signal: AbortSignal): Promise<Duplex>;

  /**
   * A part of the serial console; empty where the hypervisor shows it to nobody.
   * @param after the first bytes from this offset on, and not the last ones: see `consoleRange`
   */
  console(vmId: string, maxBytes: number, after?: number): Promise<ConsolePart>;

  /** Lets go of the guests without stopping them: they outlive the agent. */
  [Symbol.asyncDispose](): Promise<void>;
}

export type DriverErrorCode =
  | 'exists'
  | 'absent'
  | 'not_running'
  | 'not_stopped'
  | 'no_snapshot'
  | 'failed'
  | 'timeout'
  | 'aborted'
  | 'unavailable'
  | 'unsupported';

/** `message` is for the provider's operator and the owner of the VM; it never holds a path or a key. */
export class DriverError extends Error {
  readonly code: DriverErrorCode;
  constructor(code: DriverErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'DriverError';
    this.code = code;
  }
}

/** What a driver without a capability answers. */
export function unsupported(driver: string, capability: Capability): DriverError {
  return new DriverError('unsupported', `The ${driver} driver cannot do this (${capability}).`);
}

/** Before a step that is not begun for whoever has stopped waiting. @throws {DriverError} `aborted` */
export function stopIfAborted(signal: AbortSignal): void {
  if (signal.aborted) throw new DriverError('aborted', 'The wait for the guest was stopped.');
}
