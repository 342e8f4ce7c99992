/** The network that an agent's guests have their addresses from, chosen once: their seeds hold them. */
import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DriverError } from '../../../driver.ts';
import {
  chooseGuestNetwork,
  formatNetwork,
  overlap,
  parseNetwork,
  type Network,
} from '../addresses.ts';

export interface PrefixOptions {
  /** The operator's. */
  readonly wanted: Network | undefined;
  /** Where to start looking for a free one. */
  readonly seed: number;
  /** What the machine reaches otherwise. */
  readonly taken: readonly Network[];
}

/** @throws {DriverError} `unavailable` when there is none, or guests have addresses of another one */
export async function ensurePrefix(
  dir: string,
  hasGuests: () => Promise<boolean>,
  { wanted, seed, taken }: PrefixOptions,
): Promise<Network> {
  const path = join(dir, 'prefix');
  const stored = parseNetwork((await readIfThere(path)).trim());
  const isWanted = !wanted || (stored && formatNetwork(wanted) === formatNetwork(stored));
  const isTaken = !wanted && taken.some((other) => stored && overlap(stored, other));
  if (stored && isWanted && (!isTaken || (await hasGuests()))) return stored;
  if (stored && !isWanted && (await hasGuests())) {
    throw new DriverError(
      'unavailable',
      `The guests have addresses of ${formatNetwork(stored)}; they would not work with another guest-network. Destroy them first, or leave guest-network out.`,
    );
  }
  const chosen = wanted ?? chooseGuestNetwork(seed, taken);
  if (!chosen) {
    throw new DriverError(
      'unavailable',
      'Every private network is in use on this machine; set guest-network to one that is not.',
    );
  }
  await writeFile(`${path}.next`, `${formatNetwork(chosen)}\n`, { mode: 0o600 });
  await rename(`${path}.next`, path);
  return chosen;
}

async function readIfThere(path: string): Promise<string> {
  return readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return '';
    throw error;
  });
}
