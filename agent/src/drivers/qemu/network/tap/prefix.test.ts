import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { formatNetwork, network } from '../addresses.ts';
import { ensurePrefix } from './prefix.ts';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'prefix-'));
});
afterEach(() => rm(dir, { recursive: true }));

const ensure = async (taken: string[], { guests = false, wanted = '' } = {}) =>
  formatNetwork(
    await ensurePrefix(dir, async () => guests, {
      wanted: wanted ? network(wanted) : undefined,
      seed: 0,
      taken: taken.map(network),
    }),
  );

test('guests keep the network they have addresses of, whatever the machine reaches later', async () => {
  expect(await ensure([])).toBe('10.200.0.0/16');
  expect(await ensure(['10.0.0.0/8'], { guests: true })).toBe('10.200.0.0/16');
  const wanted = '10.77.0.0/16';
  await expect(ensure([], { guests: true, wanted })).rejects.toMatchObject({
    code: 'unavailable',
    message: expect.stringContaining('10.200.0.0/16') as string,
  });
});

test('without guests, one that the machine reaches by now is left, as is one that nobody wants', async () => {
  await ensure([]);
  expect(await ensure(['10.0.0.0/8'])).toBe('172.16.0.0/16');
  expect(await ensure([])).toBe('172.16.0.0/16');
  expect(await ensure([], { wanted: '10.77.0.0/16' })).toBe('10.77.0.0/16');
});
