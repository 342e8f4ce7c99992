/**
 * What this requestor rents, as far as this machine knows: a cache of what providers said, one file
 * for each VM. Many programs at once may read and write it, and each may be killed at any time.
 */
import { renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { GolemError } from '@vm-on-golem/shared/errors';
import type { Rental, Rentals } from '../sdk/ports.ts';
import type { VmEntry } from './entry.ts';
import {
  createFileSync,
  readIfThere,
  readIfThereSync,
  removeLeftovers,
  replaceFileSync,
} from './files.ts';
import { cachedNames } from './cached.ts';
import { checkHostKey } from './host-keys.ts';
import { STATE_LIMITS } from './limits.ts';

export type { VmEntry } from './entry.ts';

export interface BookOptions {
  /** Private key file of VMs for which no other was chosen. */
  readonly ownKey?: string;
  /** URL that new rentals are reached by. */
  readonly discovery?: string;
  readonly now?: () => number;
  /** Told of a file that `all` leaves out because it cannot be read. */
  readonly onDamage?: (error: GolemError) => void;
  /**
   * Whether the VMs of this provider still belong to another key of ours: its word that this key has
   * none is no reason to forget them.
   */
  readonly isMoving?: (provider: string) => boolean;
  /**
   * Whether the key that providers are asked with is not that of this machine any more. Then nothing is
   * forgotten on their word, and nothing is ordered.
   */
  readonly isReplaced?: () => boolean;
}

export class VmBook implements Rentals {
  readonly #folder: string;
  readonly #lock: string;
  readonly #options: Required<Omit<BookOptions, 'discovery'>> & Pick<BookOptions, 'discovery'>;
  #isChanged = false;

  constructor(folder: string, options: BookOptions = {}) {
    this.#folder = folder;
    this.#lock = join(folder, '.lock');
    this.#options = {
      ownKey: '',
      now: Date.now,
      onDamage: () => undefined,
      isMoving: () => false,
      isReplaced: () => false,
      ...options,
    };
  }

  /** Whether anything was written through this object. */
  get isChanged(): boolean {
    return this.#isChanged;
  }

  /** @throws {GolemError} when what is stored cannot be read */
  async get(name: string): Promise<VmEntry | undefined> {
    const format = await loadFormat();
    if (!format.isName(name)) return undefined;
    const text = await readIfThere(this.#path(name));
    return text === undefined
      ? undefined
      : format.parseEntry(text, this.#path(name), this.#options.ownKey);
  }

  /** In the order of their names, without those that cannot be read. */
  async all(): Promise<VmEntry[]> {
    const entries = await Promise.all(
      cachedNames(this.#folder).map(async (name) => {
        try {
          return await this.get(name);
        } catch (error) {
          if (!(error instanceof GolemError)) throw error;
          this.#options.onDamage(error);
          return undefined;
        }
      }),
    );
    return entries.filter((entry) => entry !== undefined);
  }

  /** @throws {GolemError} `wrong_state` for an order by a key that was replaced */
  async claim(name: string, first: Rental): Promise<boolean> {
    return this.#locked(({ write }) => {
      if (first.pending && this.#options.isReplaced()) {
        throw new GolemError('wrong_state', 'Your key was replaced while this command ran.', {
          hint: 'Nothing was ordered with the old one. Give the command again.',
        });
      }
      removeLeftovers(this.#folder, this.#options.now() - STATE_LIMITS.leftoverMillis);
      return createFileSync(this.#path(name), write({ ...first, name }, undefined));
    });
  }

  async update(
    name: string,
    vmId: string | undefined,
    change: (now: Rental) => Rental | undefined,
  ): Promise<void> {
    await this.#locked(({ read, write }) => {
      const now = read(name);
      if (!now || now.vm?.id !== vmId) return;
      const next = change(now);
      if (next) replaceFileSync(this.#path(name), write(next, now));
      else this.#forget(now);
    });
  }

  /** Writes the entry, whatever was there before. */
  async put(entry: Rental): Promise<void> {
    await this.#locked(({ read, write }) => {
      replaceFileSync(this.#path(entry.name), write(entry, read(entry.name)));
    });
  }

  async remove(name: string): Promise<void> {
    await this.#locked(({ read }) => {
      const now = read(name);
      if (now) this.#forget(now);
    });
  }

  /**
   * Puts a file that cannot be read out of the way, so that its name can be had again.
   * @returns where it is now; undefined when it can be read, or is not there
   */
  async setAside(name: string): Promise<string | undefined> {
    return this.#locked(({ read }) => {
      try {
        read(name);
        return undefined;
      } catch (error) {
        if (!(error instanceof GolemError) || error.code === 'incompatible') throw error;
        const aside = `${this.#path(name)}.damaged`;
        renameSync(this.#path(name), aside);
        return aside;
      }
    });
  }

  /** What is done inside takes no pause, so that the lock is held for an instant. */
  async #locked<Result>(task: (files: Files) => Result): Promise<Result> {
    this.#isChanged = true;
    const [format, { withLock }] = await Promise.all([loadFormat(), import('./lock.ts')]);
    const { ownKey } = this.#options;
    return withLock(this.#lock, () =>
      task({
        read: (name) => {
          const text = format.isName(name) ? readIfThereSync(this.#path(name)) : undefined;
          return text === undefined ? undefined : format.parseEntry(text, this.#path(name), ownKey);
        },
        write: (next, now) => format.entryText(this.#stamped(next, now), ownKey),
      }),
    );
  }

  /** With what the book itself knows of it. */
  #stamped(next: Rental, now: VmEntry | undefined): Rental {
    if (next.vm && now?.vm?.id === next.vm.id) {
      checkHostKey(this.#path(next.name), now.vm, next.vm);
    }
    const { discovery = this.#options.discovery } = next;
    // A VM that is another object than before has just been signed.
    const isNews = next.vm !== undefined && next.vm !== now?.vm && next.seenAt === now?.seenAt;
    const seenAt = isNews ? new Date(this.#options.now()).toISOString() : next.seenAt;
    return { ...next, discovery, seenAt };
  }

  #forget({ name, provider }: VmEntry): void {
    const { isMoving, isReplaced } = this.#options;
    if (!isMoving(provider) && !isReplaced()) rmSync(this.#path(name), { force: true });
  }

  #path(name: string): string {
    return join(this.#folder, `${name}.json`);
  }
}

interface Files {
  readonly read: (name: string) => VmEntry | undefined;
  /** @returns the text of a file */
  readonly write: (next: Rental, now: VmEntry | undefined) => string;
}

/** Its schemas are not loaded for who reads the cache alone. */
const loadFormat = () => import('./entry.ts');
