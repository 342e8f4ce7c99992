/** What the worker may ask of a limiter. */
import type { Rate } from './rates.ts';

export interface LimiterPort extends Rpc.DurableObjectBranded {
  /** @returns 0, or the seconds to wait. */
  take(rate: Rate): number;
}
