import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { fuzzArgv } from './fuzz.ts';

test('no command line crashes golem, is half done, or is taken for another', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'golem-argv-'));
  try {
    const { exits } = await fuzzArgv({ runs: 400, seed: 1, folder });
    expect(exits).toHaveProperty('0');
    expect(exits).toHaveProperty('2');
  } finally {
    await rm(folder, { recursive: true });
  }
});
