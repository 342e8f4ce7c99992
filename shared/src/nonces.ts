/** Remembers used nonces until they expire. Bounded: a flood evicts nobody, it is refused. */
import { GolemError } from './errors.ts';
import { LIMITS } from './limits.ts';
import type { VerifiedRequest } from './signing.ts';

export class NonceMemory {
  readonly #expiry = new Map<string, Map<string, number>>();
  #total = 0;
  #sweptAt = 0;

  /**
   * Admits a verified request once.
   * @param now seconds since 1970
   * @throws {GolemError} `replayed`, or `rate_limited` when there is no room to remember it.
   */
  admit(request: Pick<VerifiedRequest, 'keyId' | 'nonce' | 'expires'>, now: number): void {
    this.#sweep(now);
    let nonces = this.#expiry.get(request.keyId);
    if (nonces?.has(request.nonce)) throw new GolemError('replayed');
    if (
      (nonces?.size ?? 0) >= LIMITS.signature.noncesPerKey ||
      this.#total >= LIMITS.signature.noncesTotal
    ) {
      throw new GolemError('rate_limited', 'Too many requests are remembered already.', {
        retryAfter: LIMITS.signature.lifetimeSeconds,
      });
    }
    if (!nonces) this.#expiry.set(request.keyId, (nonces = new Map()));
    nonces.set(request.nonce, request.expires + LIMITS.signature.clockSkewSeconds);
    this.#total += 1;
  }

  get size(): number {
    return this.#total;
  }

  /**
   * At most once a second, by a clock that may be set back: what has expired cannot be replayed,
   * its signature is refused.
   */
  #sweep(now: number): void {
    if (Math.abs(now - this.#sweptAt) < 1) return;
    this.#sweptAt = now;
    for (const [key, nonces] of this.#expiry) {
      for (const [nonce, expiry] of nonces) {
        if (expiry >= now) continue;
        nonces.delete(nonce);
        this.#total -= 1;
      }
      if (nonces.size === 0) this.#expiry.delete(key);
    }
  }
}
