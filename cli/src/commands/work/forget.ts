/** Forgets a VM here alone: its provider is not asked, and keeps it until its lease ends. */
import type { Rental, Rentals } from '../../sdk/ports.ts';

export function forgetHere(book: Rentals, { name, vm }: Rental): Promise<void> {
  return book.update(name, vm?.id, () => undefined);
}
