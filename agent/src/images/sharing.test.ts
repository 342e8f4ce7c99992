import { expect, test } from 'vitest';
import { SharedWork } from './sharing.ts';

function work() {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const starts: AbortSignal[] = [];
  const start = (signal: AbortSignal) => {
    starts.push(signal);
    signal.addEventListener('abort', () => reject(new Error('broken off')), { once: true });
    return promise;
  };
  return { start, starts, resolve, reject };
}
const signal = () => new AbortController().signal;

test('does once what several wait for, and anew for who comes later', async () => {
  const shared = new SharedWork<string>();
  const first = work();
  const waits = [1, 2, 3].map(() => shared.join('key', signal(), first.start));
  first.resolve('done');
  expect(await Promise.all(waits)).toEqual(['done', 'done', 'done']);
  expect(first.starts).toHaveLength(1);
  const second = work();
  second.resolve('done again');
  expect(await shared.join('key', signal(), second.start)).toBe('done again');
});

test('who goes does not disturb who stays', async () => {
  const shared = new SharedWork<string>();
  const { start, starts, resolve } = work();
  const impatient = new AbortController();
  const goes = shared.join('key', impatient.signal, start);
  const stays = shared.join('key', signal(), start);
  impatient.abort();
  await expect(goes).rejects.toMatchObject({ code: 'aborted' });
  expect(starts[0]?.aborted).toBe(false);
  resolve('done');
  expect(await stays).toBe('done');
});

test('the work is broken off when the last one goes, and begun anew by the next', async () => {
  const shared = new SharedWork<string>();
  const { start, starts } = work();
  const waits = [1, 2].map(() => {
    const abort = new AbortController();
    return { abort, result: shared.join('key', abort.signal, start) };
  });
  for (const { abort } of waits) abort.abort();
  for (const { result } of waits) await expect(result).rejects.toMatchObject({ code: 'aborted' });
  expect(starts[0]?.aborted).toBe(true);
  const next = work();
  next.resolve('done');
  expect(await shared.join('key', signal(), next.start)).toBe('done');
});

test('a wait that is too long says so, and one that never began does nothing', async () => {
  const shared = new SharedWork<string>();
  const { start, starts } = work();
  await expect(shared.join('key', AbortSignal.timeout(1), start)).rejects.toMatchObject({
    code: 'timeout',
  });
  await expect(shared.join('key', AbortSignal.abort(), start)).rejects.toMatchObject({
    code: 'aborted',
  });
  expect(starts).toHaveLength(1);
});

test('a failure reaches everyone', async () => {
  const shared = new SharedWork<string>();
  const { start, reject } = work();
  const waits = [1, 2].map(() => shared.join('key', signal(), start));
  reject(new Error('no such host'));
  for (const wait of waits) await expect(wait).rejects.toThrow('no such host');
});
