/** Brings a rental to rest: a creation that was sent, or whatever else is at work on its VM. */
import { GolemError } from '@vm-on-golem/shared/errors';
import type { Vm, VmState } from '@vm-on-golem/shared/vm';
import type { GolemClient } from '../client.ts';
import type { Rental, Rentals } from '../ports.ts';
import { within } from '../wire/deadline.ts';
import type { FollowOptions } from '../wire/operations.ts';
import { isDecided, isGone, OperationFailed, SignedRefusal } from '../wire/outcome.ts';
import { forget, remember } from './memory.ts';

export interface SettleOptions extends FollowOptions {
  readonly rentals: Rentals;
}

const AT_WORK: ReadonlySet<VmState> = new Set([
  'creating',
  'starting',
  'stopping',
  'suspending',
  'changing',
  'destroying',
]);

/**
 * Waits for the end of a creation, whoever sent it and whenever, and of any other operation.
 * @throws {OperationFailed} what the creation ended with
 * @throws {SignedRefusal} `vm_not_found` or `vm_gone`: the VM is not there, and is forgotten
 * @throws {GolemError} `launch_failed` and its like when another operation ended badly
 */
export function settle(
  client: GolemClient,
  rental: Rental,
  { rentals, onStage, ...options }: SettleOptions,
): Promise<Rental> {
  return within(options, async (signal) => {
    const known = rental.pending
      ? await followCreation(client, rental, { rentals, onStage, signal })
      : rental;
    try {
      const vm = await untilAtRest(client, known, signal);
      return await remember(rentals, known, vm, client.time());
    } catch (error) {
      if (isGone(error)) await forget(rentals, known);
      throw error;
    }
  });
}

async function followCreation(
  client: GolemClient,
  rental: Rental,
  { rentals, ...options }: SettleOptions,
): Promise<Rental> {
  const asked = await withOperation(client, rental, { rentals, ...options });
  const operation = asked.pending?.operation;
  if (operation === undefined) return asked;
  try {
    await client.follow(rental.provider, operation, options);
  } catch (error) {
    if (error instanceof OperationFailed) {
      // What could not be removed is still there to be destroyed.
      if (error.vm) await remember(rentals, asked, error.vm, client.time());
      else await forget(rentals, asked);
    }
    // An operation that is forgotten has ended long ago: the VM tells how.
    const isForgotten = error instanceof SignedRefusal && error.code === 'operation_not_found';
    if (!isForgotten) throw error;
  }
  return asked;
}

/** Sends a creation again of which no answer was seen, and remembers the operation. */
async function withOperation(
  client: GolemClient,
  rental: Rental,
  { rentals, ...options }: SettleOptions,
): Promise<Rental> {
  const { pending, provider, name } = rental;
  if (!pending || pending.operation !== undefined) return rental;
  try {
    const { operation, vm } = await client.vms.create(provider, pending, options);
    const known = { ...rental, vm, pending: { ...pending, operation } };
    await rentals.update(name, rental.vm?.id, (now) => (now.pending ? { ...now, ...known } : now));
    return known;
  } catch (error) {
    // The first try may have arrived: only the provider's own word on it says that there is no such VM.
    if (isDecided(error)) await forget(rentals, rental);
    throw error;
  }
}

/** Wakes with every event of the VM, and looks then. */
async function untilAtRest(
  client: GolemClient,
  { provider, vm, name }: Rental,
  signal: AbortSignal,
): Promise<Vm> {
  const now = await client.vms.get(provider, vm?.id ?? name, { signal });
  if (!AT_WORK.has(now.state)) return now;
  const past = await client.events.all(provider, now.id, { signal });
  const after = past.at(-1)?.n ?? 0;
  // It may have come to rest between the two questions.
  let seen = await client.vms.get(provider, now.id, { signal });
  if (!AT_WORK.has(seen.state)) return seen;
  for await (const event of client.events.follow(provider, now.id, { after, signal })) {
    seen = await client.vms.get(provider, now.id, { signal });
    if (event.kind.endsWith('.failed')) throw failed(event.kind, event.message);
    if (!AT_WORK.has(seen.state)) return seen;
  }
  return client.vms.get(provider, now.id, { signal });
}

function failed(kind: string, message: string | undefined): GolemError {
  const what = kind.slice(0, -'.failed'.length);
  return new GolemError('launch_failed', message ?? `Its ${what} failed.`);
}
