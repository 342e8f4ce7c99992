import type { Offer } from '@vm-on-golem/shared/offer';

/** An offer without its number and date: two that differ in nothing else tell the same. */
export function substanceOf(offer: Offer): string {
  const { sequence: _sequence, issuedAt: _issuedAt, ...substance } = offer;
  return JSON.stringify(Object.entries(substance).sort(([a], [b]) => (a < b ? -1 : 1)));
}
