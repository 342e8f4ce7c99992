/** What the conformance suite works with: one driver, one guest that its tests share, one client. */
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import type {
  Capability,
  Driver,
  DriverErrorCode,
  GuestSpec,
  GuestState,
  GuestUsage,
  LaunchStage,
} from '../driver.ts';
import { SshClient } from './openssh.ts';

export interface DriverUnderTest {
  readonly name: string;
  /** What this driver can do. All else it has to refuse. */
  readonly capabilities: readonly Capability[];
  /** What it says about the use of a running guest. */
  readonly measures: readonly (keyof GuestUsage)[];
  /** False where the hypervisor shows nobody the serial console: it is empty then. */
  readonly console?: false;
  /** Opens a driver on a folder that may hold guests of an earlier one. */
  open(stateDir: string): Promise<Driver>;
  /** A guest that was never launched, with an id of its own, that lets `authorizedKey` in. */
  prepareSpec(authorizedKey: string): Promise<GuestSpec>;
  /** What makes a guest shut down from within. */
  readonly powerOff: string;
  readonly timeouts: {
    /** From launch or start to SSH. */
    readonly bootMillis: number;
    /** For a shutdown from within, before the plug is pulled. */
    readonly graceMillis: number;
  };
  readonly faults?: DriverFaults;
}

interface GuestPlace {
  readonly stateDir: string;
  readonly vmId: string;
}
/** Breaks something for one guest, and mends it again when it is disposed of. */
export type Fault = (guest: GuestPlace) => Promise<AsyncDisposable>;

/** Failures in the ways of one backend. A case whose fault a driver does not have is skipped. */
export interface DriverFaults {
  /** Makes of a spec one whose guest the hypervisor begins, and cannot bring up. */
  readonly launch?: (spec: GuestSpec) => Promise<GuestSpec>;
  /** The hypervisor cannot remove the guest. */
  readonly destroy?: Fault;
  /** What the hypervisor says of the guest makes no sense. */
  readonly junk?: Fault;
  /** The hypervisor cannot be asked. */
  readonly unreachable?: Fault;
}

export class Bench {
  readonly subject: DriverUnderTest;
  /** For one case: a boot, a shutdown and what is done with the guest. */
  readonly caseMillis: number;
  #scratch = '';
  #driver: Driver | undefined;
  #spec: GuestSpec | undefined;
  #ssh: SshClient | undefined;

  constructor(subject: DriverUnderTest) {
    this.subject = subject;
    this.caseMillis = 2 * (subject.timeouts.bootMillis + subject.timeouts.graceMillis) + 20_000;
  }

  async setUp(): Promise<void> {
    this.#scratch = await mkdtemp(join(tmpdir(), 'golem-'));
    this.#ssh = await SshClient.create(this.#scratch);
    this.#spec = await this.subject.prepareSpec(this.#ssh.publicKey);
    this.#driver = await this.subject.open(this.stateDir);
  }

  async tearDown(): Promise<void> {
    if (this.#driver) {
      for (const { vmId } of await this.#driver.list()) await this.#driver.destroy(vmId);
      await this.#driver[Symbol.asyncDispose]();
    }
    await rm(this.#scratch, { recursive: true, force: true });
  }

  get scratch(): string {
    return this.#scratch;
  }

  get stateDir(): string {
    return join(this.#scratch, 'guests');
  }

  get driver(): Driver {
    return made(this.#driver);
  }

  /** Of the guest that the tests share. */
  get spec(): GuestSpec {
    return made(this.#spec);
  }

  get vmId(): string {
    return this.spec.vmId;
  }

  get ssh(): SshClient {
    return made(this.#ssh);
  }

  /** Another guest than the shared one. */
  prepareSpec(): Promise<GuestSpec> {
    return this.subject.prepareSpec(this.ssh.publicKey);
  }

  /**
   * As an agent does that ends and starts again.
   * @param meanwhile what happens in between
   */
  async reopen<T>(meanwhile?: () => Promise<T>): Promise<T>;
  async reopen(meanwhile: () => Promise<unknown> = async () => {}): Promise<unknown> {
    await this.driver[Symbol.asyncDispose]();
    const result = await meanwhile();
    this.#driver = await this.subject.open(this.stateDir);
    return result;
  }

  boot(stages: LaunchStage[] = []) {
    return {
      signal: this.patience(),
      onStage: (stage: LaunchStage) => void stages.push(stage),
    };
  }

  stopping() {
    return { graceMs: this.subject.timeouts.graceMillis, signal: this.patience() };
  }

  patience(): AbortSignal {
    return AbortSignal.timeout(this.caseMillis);
  }

  /** Starts the shared guest, whatever an earlier case made of it. */
  async up(): Promise<void> {
    await this.driver.start(this.vmId, this.boot());
  }

  /** Stops the shared guest, whatever an earlier case made of it. */
  async down(): Promise<void> {
    await this.driver.stop(this.vmId, this.stopping());
  }

  async state(vmId = this.vmId): Promise<GuestState> {
    return (await this.driver.inspect(vmId)).state;
  }

  /** Logs in to the shared guest. @returns what a command prints, once it has ended with 0 */
  async says(command: string, stdin?: string): Promise<string> {
    const input = stdin === undefined ? undefined : Buffer.from(stdin);
    const login = await this.ssh.run(this.driver, this.spec, command, input);
    const { exitCode, stdout, stderr } = login;
    if (exitCode !== 0) throw new Error(`${command}: ended with ${exitCode}: ${stderr}`);
    return stdout.toString().trim();
  }

  /** Another one with every boot. */
  bootId(): Promise<string> {
    return this.says('cat /proc/sys/kernel/random/boot_id');
  }

  /** What there is of a guest, on disk and to the driver. */
  async remainsOf(vmId: string) {
    const state = await this.state(vmId);
    const listed = (await this.driver.list()).filter((guest) => guest.vmId === vmId);
    const files = (await readdir(this.stateDir)).filter((name) => name.includes(vmId));
    return { state, listed, files };
  }
}

/** What remains of a guest that is gone. */
export const NOTHING = { state: 'absent', listed: [], files: [] };

export async function fails(work: Promise<unknown>, code: DriverErrorCode): Promise<void> {
  await expect(work).rejects.toMatchObject({ name: 'DriverError', code });
}

function made<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('The suite could not be set up.');
  return value;
}
