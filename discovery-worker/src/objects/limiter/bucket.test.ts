import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { take, type Bucket } from './bucket.ts';
import { DEFAULT_RATES, LIMITED } from './rates.ts';

const rate = { perSecond: 2, burst: 3 };

function takes(times: readonly number[], given: typeof rate = rate): number[] {
  let bucket: Bucket | undefined;
  return times.map((now) => {
    const taken = take(bucket, given, now);
    bucket = taken.bucket;
    return taken.retryAfter;
  });
}

describe('a bucket', () => {
  it('gives its burst at once, and then what comes in', () => {
    expect(takes([0, 0, 0, 0])).toEqual([0, 0, 0, 1]);
    expect(takes([0, 0, 0, 499, 500, 500])).toEqual([0, 0, 0, 1, 0, 1]);
  });

  it('says how long to wait, and keeps its word', () => {
    const slow = { perSecond: 0.1, burst: 1 };
    expect(takes([0, 0, 9_999, 10_000], slow)).toEqual([0, 10, 1, 0]);
  });

  it('never gives more than its burst and its rate, whatever the clock does', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(10_000), { maxLength: 100 }), (times) => {
        const given = takes(times).filter((retryAfter) => retryAfter === 0).length;
        const most = rate.burst + (Math.max(0, ...times) / 1000) * rate.perSecond;
        expect(given).toBeLessThanOrEqual(most + 1e-6);
      }),
    );
  });
});

describe('the default rates', () => {
  it.each(LIMITED)('fill an empty bucket before it can be evicted: %s', (what) => {
    const { burst, perSecond } = DEFAULT_RATES[what];
    expect(burst / perSecond).toBeLessThanOrEqual(10);
  });
});
