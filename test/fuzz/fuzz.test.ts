/** A short run of the fuzz command with each relay mode, on seeds that stay the same. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { RELAY_MODES } from '../../discovery-worker/src/objects/relay/modes.ts';
import { ENDPOINTS, stepsOf, type Step } from './attack.ts';
import { ATTACKS, runFuzz } from './fuzz.ts';
import { tableOf, totalsOf } from './report.ts';

const SECONDS = 8;
/** A tenth of what two idle cores do in that time. */
const FEWEST_STEPS = 40;

const attacks = ENDPOINTS.flatMap((endpoint) => ATTACKS[endpoint]);

test('the same seed makes the same attacks, and another one others', () => {
  const drawn = (seed: number) => {
    const steps = stepsOf(attacks, seed);
    return Array.from({ length: 500 }, () => {
      const { endpoint, kind, params } = steps.next().value as Step;
      return { endpoint, kind, params };
    });
  };
  expect(drawn(1)).toEqual(drawn(1));
  expect(drawn(2)).not.toEqual(drawn(1));
  // All there are, or a kind is never tried.
  expect(new Set(drawn(1).map(({ endpoint, kind }) => `${endpoint} ${kind}`)).size).toBe(
    attacks.length,
  );
});

describe.each(RELAY_MODES)('hostile parties at a %s relay', (relayMode) => {
  test('are answered, and nobody else notices', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'fz-'));
    const { signal } = new AbortController();
    try {
      const options = { seconds: SECONDS, seed: 7, endpoints: ENDPOINTS, relayMode, signal };
      const report = await runFuzz({ ...options, dir: join(dir, 's') });
      const { rows, steps, witnesses, memory } = report;
      expect(steps).toBeGreaterThan(FEWEST_STEPS);
      for (const endpoint of ENDPOINTS) {
        const own = rows.filter((row) => row.endpoint === endpoint);
        expect(own.length).toBeGreaterThan(10);
        const answers = new Set(own.flatMap((row) => Object.keys(row.answers)));
        expect([...answers]).toEqual(
          expect.arrayContaining(['401 bad_signature', '409 stale_epoch', 'close 4002', 'open']),
        );
      }
      expect(Object.keys(witnesses)).toEqual(['listing', 'commands', 'echoed bytes']);
      for (const { count } of Object.values(witnesses)) expect(count).toBeGreaterThan(5);
      for (const { first, most, bound } of Object.values(memory)) {
        expect(first).toBeGreaterThan(0);
        expect(most).toBeLessThanOrEqual(bound);
      }
      expect(tableOf(report).split('\n')).toHaveLength(rows.length);
      expect(totalsOf(report)).toContain(`${steps} attacks`);
    } finally {
      await rm(dir, { recursive: true, force: true });
    }
  });
});
