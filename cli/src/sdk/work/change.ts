/** Does something with a rented VM, and remembers what became of it. */
import { GolemError } from '@vm-on-golem/shared/errors';
import type { GolemClient } from '../client.ts';
import type { CallOptions, Rental, Rentals } from '../ports.ts';
import type { VmCommand } from '../vms/commands.ts';
import { within } from '../wire/deadline.ts';
import type { FollowOptions } from '../wire/operations.ts';
import { isGone } from '../wire/outcome.ts';
import { forget, remember } from './memory.ts';

export interface LookOptions extends CallOptions {
  readonly rentals: Rentals;
}

export interface ChangeOptions extends FollowOptions {
  readonly rentals: Rentals;
  /** Done when the provider has accepted it, and not when it has ended. */
  readonly noWait?: boolean | undefined;
}

/**
 * @returns the rental as it is then
 * @throws {GolemError} `wrong_state` while nothing is known of the VM but that it was asked for
 */
export function change(
  client: GolemClient,
  rental: Rental,
  command: Exclude<VmCommand, 'destroy'>,
  { rentals, noWait = false, onStage, ...options }: ChangeOptions,
): Promise<Rental> {
  const { provider, vm, name } = rental;
  if (!vm || rental.pending) {
    throw new GolemError('wrong_state', `'${name}' is still being created.`, {
      hint: `Run: golem vm wait ${name}`,
    });
  }
  return within(options, async (signal) => {
    try {
      const accepted = await client.vms.send(provider, vm.id, command, { signal });
      await remember(rentals, rental, accepted.vm, client.time());
      if (noWait) return { ...rental, vm: accepted.vm };
      const page = await client.follow(provider, accepted.operation, { signal, onStage });
      return page.vm ? await remember(rentals, rental, page.vm, client.time()) : rental;
    } catch (error) {
      if (isGone(error)) await forget(rentals, rental);
      throw error;
    }
  });
}

/** Asks how a VM is. One that its provider has signed not to have is forgotten. */
export async function look(
  client: GolemClient,
  rental: Rental,
  { rentals, ...options }: LookOptions,
): Promise<Rental> {
  const { provider, vm, name, pending } = rental;
  try {
    const seen = await client.vms.get(provider, vm?.id ?? name, options);
    // A creation is followed to its end by `settle`.
    if (pending) return { ...rental, vm: seen };
    return await remember(rentals, rental, seen, client.time());
  } catch (error) {
    if (isGone(error) && !pending) await forget(rentals, rental);
    throw error;
  }
}

/** @param seconds how long from now on; none for as long as the provider gives by itself */
export async function renew(
  client: GolemClient,
  rental: Rental,
  seconds: number | undefined,
  { rentals, ...options }: LookOptions,
): Promise<Rental> {
  const { provider, vm, name } = rental;
  const renewed = await client.vms.renew(provider, vm?.id ?? name, seconds, options);
  return remember(rentals, rental, renewed, client.time());
}

/**
 * Gives a VM back, with all that is on its disk, and forgets it.
 * @returns false if it was gone already
 */
export function destroy(
  client: GolemClient,
  rental: Rental,
  { rentals, noWait = false, onStage, ...options }: ChangeOptions,
): Promise<boolean> {
  const { provider, name } = rental;
  return within(options, async (signal) => {
    let wasThere = true;
    try {
      // A creation of which no answer was seen goes by its name; what is destroyed, by its id.
      const id = rental.vm?.id ?? (await client.vms.get(provider, name, { signal })).id;
      const accepted = await client.vms.send(provider, id, 'destroy', { signal });
      if (noWait) {
        await remember(rentals, rental, accepted.vm, client.time());
        return true;
      }
      await client.follow(provider, accepted.operation, { signal, onStage });
    } catch (error) {
      // Signed by the provider: there is no such VM, which is what was wanted.
      if (!isGone(error)) throw error;
      wasThere = false;
    }
    await forget(rentals, rental);
    return wasThere;
  });
}

/**
 * Does something that needs a VM at rest: stops one that runs, and starts it again whatever came of it.
 * One that was stopped stays so.
 */
export async function whileStopped(
  client: GolemClient,
  rental: Rental,
  act: (stopped: Rental) => Promise<Rental>,
  options: ChangeOptions,
): Promise<Rental> {
  const { provider, vm, name } = rental;
  const { state } = await client.vms.get(provider, vm?.id ?? name, options);
  if (state !== 'running') return act(rental);
  const stopped = await change(client, rental, 'stop', options);
  try {
    await act(stopped);
  } catch (error) {
    // Whoever has had enough is told how to start it; everybody else gets it back as it was.
    if (!options.signal.aborted) await change(client, stopped, 'start', options);
    throw error;
  }
  return change(client, stopped, 'start', options);
}
