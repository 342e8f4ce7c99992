/** The first seconds of `npm run soak`, so that the command stays true. */
import { expect, test } from 'vitest';
import { soak } from './soak.ts';

test('every byte of every kind of session comes back while connections are cut', async () => {
  const lines: string[] = [];
  const result = await soak({
    ...{ relayMode: 'hibernating', millis: 15_000, sampleMillis: 4_000 },
    ...{ random: Math.random, signal: new AbortController().signal },
    onSample: (line) => lines.push(line),
  });
  expect(result.broken).toEqual([]);
  expect(result.cuts).toBeGreaterThanOrEqual(2);
  expect(result.sessions).toBeGreaterThan(20);
  expect(result.echoedBytes).toBeGreaterThan(16 * 2 ** 20);
  expect(result.keystrokes).toBeGreaterThan(3);
  expect(lines).toHaveLength(result.samples.length);
  expect(lines.length).toBeGreaterThanOrEqual(2);
});
