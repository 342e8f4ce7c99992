/**
 * Guests on devices need a machine that forwards packets. One that did not is a router between all of
 * its networks from then on, unless the rules say otherwise; and it is to be none when guests are gone.
 */
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

const SWITCH = '/proc/sys/net/ipv4/ip_forward';
const BOOT_ID = '/proc/sys/kernel/random/boot_id';

export interface ForwardingOptions {
  /** Where it is remembered that it was off. */
  readonly dir: string;
  /** For tests: the kernel's files. */
  readonly files?: { readonly switch: string; readonly bootId: string };
}

export class Forwarding {
  readonly #path: string;
  readonly #switch: string;
  readonly #bootId: string;
  #borrowed: boolean;

  private constructor(path: string, kernel: string, bootId: string, borrowed: boolean) {
    this.#path = path;
    this.#switch = kernel;
    this.#bootId = bootId;
    this.#borrowed = borrowed;
  }

  static async open({ dir, files }: ForwardingOptions): Promise<Forwarding> {
    const path = join(dir, 'forwarding-was-off');
    const bootId = await readFile(files?.bootId ?? BOOT_ID, 'utf8');
    const remembered = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined;
      throw error;
    });
    // When the machine was started again, it is what its own settings say.
    return new Forwarding(path, files?.switch ?? SWITCH, bootId, remembered === bootId);
  }

  /** Whether this machine forwards for guests alone: nothing but theirs may pass. */
  get borrowed(): boolean {
    return this.#borrowed;
  }

  /**
   * Before rules are loaded, which depend on it.
   * @returns whether it turned out to be off
   */
  async borrow(): Promise<boolean> {
    if (await this.#isOn()) return false;
    if (this.#borrowed) return true;
    await writeFile(`${this.#path}.next`, this.#bootId, { mode: 0o600 });
    await rename(`${this.#path}.next`, this.#path);
    this.#borrowed = true;
    return true;
  }

  /** After rules are loaded. */
  async turnOn(): Promise<void> {
    if (!(await this.#isOn())) await writeFile(this.#switch, '1');
  }

  /** When no guest is left, and before the rules are removed. */
  async giveBack(): Promise<void> {
    if (!this.#borrowed) return;
    await writeFile(this.#switch, '0');
    await rm(this.#path, { force: true });
    this.#borrowed = false;
  }

  async #isOn(): Promise<boolean> {
    return (await readFile(this.#switch, 'utf8')).trim() !== '0';
  }
}
