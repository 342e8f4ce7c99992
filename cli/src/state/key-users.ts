/** Contexts that have one key in common: whoever replaces it replaces it for all of them. */
import { join } from 'node:path';
import { GolemError } from '@vm-on-golem/shared/errors';
import { readCached } from './cached.ts';
import { contextNames, type Home } from './home.ts';
import { withLock } from './lock.ts';
import { SETTINGS } from './settings.ts';

export interface KeyUser {
  readonly context: string;
  /** Folder of its VMs. */
  readonly vms: string;
  /** URL. */
  readonly discovery: string;
  /** Somebody has said that this is the service; else it is only what is assumed. */
  readonly isChosen: boolean;
}

/** What a file of a VM says of where it is. */
export interface Rented {
  readonly provider: string;
  /** URL. */
  readonly discovery: string;
  /** Nobody knows yet whether its creation has reached the provider. */
  readonly isOrdered: boolean;
}

/** The context in use is the first one. */
export function keyUsers(home: Home): KeyUser[] {
  const { config, context, paths, discovery, pathsIn } = home;
  const others = contextNames(config)
    .filter((name) => name !== context.value && pathsIn(name).key === paths.key)
    .map((name) => {
      const said = config.contexts[name]?.discovery;
      return {
        ...{ context: name, vms: pathsIn(name).vms, discovery: said ?? standardDiscovery() },
        isChosen: said !== undefined,
      };
    });
  return [{ context: context.value, vms: paths.vms, discovery, isChosen: true }, ...others];
}

/**
 * All that is rented. Who has claimed a name before has written it down when this is read.
 * @throws {GolemError} `internal` when a book cannot be locked
 */
export async function rentedBy(users: readonly KeyUser[]): Promise<Rented[]> {
  const found = await Promise.all(
    users.map(({ vms, discovery }) =>
      withLock(join(vms, '.lock'), () =>
        readCached(vms).map((rental) => ({
          provider: rental.provider,
          discovery: rental.discovery ?? discovery,
          isOrdered: rental.pending !== undefined && rental.pending.operation === undefined,
        })),
      ),
    ),
  );
  return found.flat();
}

function standardDiscovery(): string {
  const setting = SETTINGS.find(({ name }) => name === 'discovery');
  if (!setting) throw new GolemError('internal', 'The table of settings has no discovery.');
  return setting.standard;
}
