/** How the signed word of a provider is kept. */
import type { Vm } from '@vm-on-golem/shared/vm';
import type { Rental, Rentals } from '../ports.ts';

/** A creation stays pending until its VM is seen in another state. */
export function withVm(rental: Rental, vm: Vm, seenAt: string): Rental {
  const { pending, ...rest } = rental;
  const known = { ...rest, vm, seenAt };
  return vm.state === 'creating' && pending ? { ...known, pending } : known;
}

/** @returns the rental as it is kept now, if it is still kept */
export async function remember(
  rentals: Rentals,
  rental: Rental,
  vm: Vm,
  seenAt: string,
): Promise<Rental> {
  const known = withVm(rental, vm, seenAt);
  await rentals.update(rental.name, rental.vm?.id, (now) => withVm(now, vm, seenAt));
  return known;
}

/** Unless the name is another VM's, or another creation's, by now. */
export async function forget(rentals: Rentals, rental: Rental): Promise<void> {
  await rentals.update(rental.name, rental.vm?.id, (now) =>
    now.pending?.idempotencyKey === rental.pending?.idempotencyKey ? undefined : now,
  );
}
