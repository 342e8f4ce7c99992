/**
 * Guests on devices need a machine that forwards packets. Where its own switch is off, each device is
 * told so by itself: the switch is left to whoever wants a router (Docker, say), and one look at it
 * tells whether anybody does. While nobody does, the rules let nothing but guests' packets pass.
 */
import { readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';

const KERNEL = { ipv4: '/proc/sys/net/ipv4', bootId: '/proc/sys/kernel/random/boot_id' };
/** Not devices, but what holds for all and for new ones; and what nothing is forwarded from. */
const NO_DEVICES: ReadonlySet<string> = new Set(['all', 'default', 'lo']);

const changedSchema = z.object({ bootId: z.string(), devices: z.array(z.string()) });

export interface ForwardingOptions {
  /** Where it is remembered which devices were changed. */
  readonly dir: string;
  /** For tests: the kernel's files. */
  readonly kernel?: { readonly ipv4: string; readonly bootId: string };
}

export class Forwarding {
  readonly #path: string;
  readonly #ipv4: string;
  readonly #bootId: string;
  readonly #changed: Set<string>;
  #borrowed = false;

  private constructor(path: string, ipv4: string, bootId: string, changed: readonly string[]) {
    this.#path = path;
    this.#ipv4 = ipv4;
    this.#bootId = bootId;
    this.#changed = new Set(changed);
  }

  static async open({ dir, kernel = KERNEL }: ForwardingOptions): Promise<Forwarding> {
    const path = join(dir, 'forwarding.json');
    const bootId = await readFile(kernel.bootId, 'utf8');
    const known = await readChanged(path);
    // When the machine was started again, devices are what its own settings say.
    const changed = known?.bootId === bootId ? known.devices : [];
    const forwarding = new Forwarding(path, kernel.ipv4, bootId, changed);
    await forwarding.look();
    return forwarding;
  }

  /** Whether this machine forwards for guests alone, as of the last look. */
  get borrowed(): boolean {
    return this.#borrowed;
  }

  /**
   * Before rules are loaded, which depend on it.
   * @returns whether that has changed
   */
  async look(): Promise<boolean> {
    const before = this.#borrowed;
    this.#borrowed = (await this.#read(join(this.#ipv4, 'ip_forward'))) === '0';
    return this.#borrowed !== before;
  }

  /** After rules are loaded, and again for devices that came since. */
  async turnOn(): Promise<void> {
    if (!this.#borrowed) return;
    for (const device of await readdir(join(this.#ipv4, 'conf'))) {
      if (NO_DEVICES.has(device) || (await this.#read(this.#switchOf(device))) !== '0') continue;
      // Written down before it is done.
      this.#changed.add(device);
      await this.#remember();
      await this.#write(device, '1');
    }
  }

  /** When no guest is left, and before the rules are removed. */
  async giveBack(): Promise<void> {
    await this.look();
    // Whoever has turned the switch on meanwhile has meant these devices as well.
    if (this.#borrowed) for (const device of this.#changed) await this.#write(device, '0');
    this.#changed.clear();
    await rm(this.#path, { force: true });
  }

  #switchOf(device: string): string {
    return join(this.#ipv4, 'conf', device, 'forwarding');
  }

  async #read(path: string): Promise<string | undefined> {
    const text = await readFile(path, 'utf8').catch(unlessGone);
    return text?.trim();
  }

  async #write(device: string, value: '0' | '1'): Promise<void> {
    await writeFile(this.#switchOf(device), value).catch(unlessGone);
  }

  async #remember(): Promise<void> {
    const text = JSON.stringify({ bootId: this.#bootId, devices: [...this.#changed] });
    await writeFile(`${this.#path}.next`, text, { mode: 0o600 });
    await rename(`${this.#path}.next`, this.#path);
  }
}

/** Devices come and go. */
function unlessGone(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error;
}

async function readChanged(path: string): Promise<z.output<typeof changedSchema> | undefined> {
  const text = await readFile(path, 'utf8').catch(unlessGone);
  if (text === undefined) return undefined;
  try {
    return changedSchema.parse(JSON.parse(text));
  } catch {
    // Of another version: what was changed then is as it is until the machine is started again.
    return undefined;
  }
}
