/** Rentals for as long as a program runs: for tests, and for whoever keeps them elsewhere. */
import type { Rental, Rentals } from './ports.ts';

export class MemoryRentals implements Rentals {
  readonly #rentals = new Map<string, Rental>();

  constructor(rentals: Iterable<Rental> = []) {
    for (const rental of rentals) this.#rentals.set(rental.name, rental);
  }

  async all(): Promise<Rental[]> {
    return [...this.#rentals.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  async get(name: string): Promise<Rental | undefined> {
    return this.#rentals.get(name);
  }

  async claim(name: string, first: Rental): Promise<boolean> {
    if (this.#rentals.has(name)) return false;
    this.#rentals.set(name, first);
    return true;
  }

  async update(
    name: string,
    vmId: string | undefined,
    change: (now: Rental) => Rental | undefined,
  ): Promise<void> {
    const now = this.#rentals.get(name);
    if (!now || now.vm?.id !== vmId) return;
    const next = change(now);
    if (next) this.#rentals.set(name, next);
    else this.#rentals.delete(name);
  }
}
