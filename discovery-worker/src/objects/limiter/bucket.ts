/** A token bucket that refills by the clock alone. Pure; times in milliseconds. */
import type { Rate } from './rates.ts';

export interface Bucket {
  readonly tokens: number;
  readonly at: number;
}

export interface Taken {
  readonly bucket: Bucket;
  /** Whole seconds until the next token; 0 when one was taken. */
  readonly retryAfter: number;
}

export function take(bucket: Bucket | undefined, { perSecond, burst }: Rate, now: number): Taken {
  // A clock that went back refills nothing and forgets nothing.
  const elapsed = bucket ? Math.max(0, now - bucket.at) : 0;
  const at = bucket ? Math.max(now, bucket.at) : now;
  const tokens = bucket ? Math.min(burst, bucket.tokens + (elapsed / 1000) * perSecond) : burst;
  if (tokens >= 1) return { bucket: { tokens: tokens - 1, at }, retryAfter: 0 };
  return { bucket: { tokens, at }, retryAfter: Math.ceil((1 - tokens) / perSecond) };
}
