/** The bucket of one key of one class. In memory only: see `port.ts`. */
import { DurableObject } from 'cloudflare:workers';
import type { Env } from '../../env.ts';
import { take, type Bucket } from './bucket.ts';
import type { LimiterPort, Rate } from './port.ts';

export class Limiter extends DurableObject<Env> implements LimiterPort {
  #bucket: Bucket | undefined;

  take(rate: Rate): number {
    const { bucket, retryAfter } = take(this.#bucket, rate, Date.now());
    this.#bucket = bucket;
    return retryAfter;
  }
}
