/**
 * Where the Internet sees this machine: from inside its LAN, that address leads to its router, which is
 * often administered there. It changes, and the rules of guests with it.
 */
import { readFile, writeFile } from 'node:fs/promises';
import type { Logger } from 'pino';
import { isPublic } from './drivers/qemu/network/addresses.ts';

export interface WhereaboutsOptions {
  /** Where it is kept, so that a restarted agent closes it before it is connected. */
  readonly path: string;
  /** What the operator says. */
  readonly configured: readonly string[];
  readonly log: Logger;
}

/** A home with two lines is seen under either; one that is somebody else's by now is no loss. */
const MAX_SEEN = 4;

type Follower = (addresses: readonly string[]) => Promise<void>;

export class Whereabouts {
  readonly #options: WhereaboutsOptions;
  /** The newest first. */
  #seen: readonly string[];
  #follow: Follower = async () => {};

  private constructor(options: WhereaboutsOptions, seen: readonly string[]) {
    this.#options = options;
    this.#seen = seen;
  }

  static async open(options: WhereaboutsOptions): Promise<Whereabouts> {
    const text = await readFile(options.path, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return '';
      throw error;
    });
    return new Whereabouts(options, text.split('\n').filter(isPublic).slice(0, MAX_SEEN));
  }

  get addresses(): readonly string[] {
    return [...new Set([...this.#options.configured, ...this.#seen])];
  }

  /**
   * @param address as discovery sees it. One of IPv6 says nothing about what is closed, as guests have
   * no IPv6; one that is not public is that of a discovery service in the LAN.
   */
  async seenAs(address: string | undefined): Promise<void> {
    const { path, configured, log } = this.#options;
    const plain = address?.replace(/^::ffff:/i, '') ?? '';
    if (!isPublic(plain)) {
      if (this.addresses.length === 0 && plain.includes(':')) {
        log.warn(
          { address },
          "discovery sees an address of IPv6; set public-address to the router's IPv4, so that it is closed to guests",
        );
      }
      return;
    }
    if (plain === this.#seen[0]) return;
    this.#seen = [plain, ...this.#seen.filter((one) => one !== plain)].slice(0, MAX_SEEN);
    log.info({ address: plain, configured }, 'this public address is closed to guests');
    await writeFile(path, this.#seen.map((one) => `${one}\n`).join(''), { mode: 0o600 });
    await this.refresh();
  }

  /** @param follow has the rules follow, from now on */
  follow(follow: Follower): void {
    this.#follow = follow;
  }

  /** Has the rules follow the networks that the machine is in. */
  async refresh(): Promise<void> {
    await this.#follow(this.addresses);
  }
}
