import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Whereabouts } from './whereabouts.ts';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'whereabouts-'));
});
afterEach(() => rm(dir, { recursive: true }));
const open = () =>
  Whereabouts.open({
    ...{ path: join(dir, 'public-address'), configured: ['198.51.100.7'] },
    log: pino({ level: 'silent' }),
  });

test('the last addresses that were seen stay closed, also after a restart', async () => {
  const followed: (readonly string[])[] = [];
  const first = await open();
  first.follow(async (addresses) => void followed.push(addresses));
  const sights = ['::ffff:8.0.0.1', '2001:db8::1', '192.168.1.2', undefined, '8.0.0.2', '8.0.0.2'];
  for (const address of sights) await first.seenAs(address);
  expect(followed).toEqual([
    ['198.51.100.7', '8.0.0.1'],
    ['198.51.100.7', '8.0.0.2', '8.0.0.1'],
  ]);
  for (const address of ['8.0.0.1', '8.0.0.3', '8.0.0.4', '8.0.0.5']) await first.seenAs(address);
  expect((await open()).addresses).toEqual([
    ...['198.51.100.7', '8.0.0.5', '8.0.0.4', '8.0.0.3', '8.0.0.1'],
  ]);
});
