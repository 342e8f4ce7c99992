/** The bucket of one key of one class. In memory only: see `rates.ts`. */
import { DurableObject } from 'cloudflare:workers';
import type { Env } from '../../env.ts';
import { take, type Bucket } from './bucket.ts';
import type { LimiterPort } from './port.ts';
import type { Rate } from './rates.ts';

export class Limiter extends DurableObject<Env> implements LimiterPort {
  #bucket: Bucket | undefined;

  take(rate: Rate): number {
    const { bucket, retryAfter } = take(this.#bucket, rate, Date.now());
    this.#bucket = bucket;
    return retryAfter;
  }
}
