import { expect, test } from 'vitest';
import { Garbage } from './garbage.ts';

const MIB = 1024 * 1024;

test('young garbage is collected once for every 4 MiB, however they come', () => {
  let collections = 0;
  const garbage = new Garbage(() => {
    collections += 1;
  });
  for (let n = 0; n < 4 * 16 - 1; n += 1) garbage.made(64 * 1024);
  expect(collections).toBe(0);
  garbage.made(64 * 1024);
  expect(collections).toBe(1);
  for (let n = 0; n < 4; n += 1) garbage.made(4 * MIB);
  expect(collections).toBe(5);
});
