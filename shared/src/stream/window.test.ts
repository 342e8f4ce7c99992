import { describe, expect, test } from 'vitest';
import { LIMITS } from '../limits.ts';
import { Budget, WindowTuner } from './window.ts';

const { windowBytes, windowMaxBytes, windowMinBytes, budgetBytes } = LIMITS.relay;
const MiB = 1024 * 1024;

describe('a window', () => {
  /** A sender that waits for window all the time, on a line of `rate` bytes and `delay` millis. */
  function run(rate: number, delay: number, seconds: number): number {
    const tuner = new WindowTuner();
    let now = 0;
    let limit = windowBytes;
    while (now < seconds * 1000) {
      const roundTrip = Math.max(delay, (tuner.size / rate) * 1000);
      const from = limit;
      tuner.granted(from, now);
      limit += tuner.size;
      now += roundTrip;
      tuner.arrived(limit, true, 0, now);
    }
    return tuner.size;
  }

  test('doubles up to the largest where the line is long', () => {
    expect(run(100 * MiB, 200, 10)).toBe(windowMaxBytes);
  });

  test('stays small where more would only lie in a queue', () => {
    expect(run(1 * MiB, 20, 20)).toBe(windowBytes);
  });

  test('does not grow while its sender has window', () => {
    const tuner = new WindowTuner();
    for (let now = 0; now < 10; now += 1) tuner.arrived(now * 1000, false, 0, now);
    expect(tuner.size).toBe(windowBytes);
  });

  test('does not grow while the sink is what everything waits for', () => {
    const tuner = new WindowTuner();
    tuner.granted(0, 0);
    tuner.arrived(windowBytes, true, windowBytes, 1);
    expect(tuner.size).toBe(windowBytes);
  });

  test('begins to learn anew on another line', () => {
    const tuner = new WindowTuner();
    tuner.granted(0, 0);
    tuner.arrived(1, false, 0, 1);
    tuner.restart();
    tuner.granted(1, 1000);
    tuner.arrived(windowBytes, true, 0, 1300);
    expect(tuner.size).toBe(2 * windowBytes);
  });
});

describe('a budget', () => {
  test('is shared by all directions of all sessions, and never exceeded while shares are whole', () => {
    const budget = new Budget();
    expect(budget.share).toBe(windowMaxBytes);
    const sessions = Array.from({ length: 256 }, () => budget.enter());
    expect(budget.share).toBe(budgetBytes / 512);
    expect(budget.share * 2 * sessions.length).toBeLessThanOrEqual(budgetBytes);
    for (const session of sessions) session[Symbol.dispose]();
    expect(budget.share).toBe(windowMaxBytes);
  });

  test('leaves every session the least that is of use', () => {
    const budget = new Budget(1 * MiB);
    for (let n = 0; n < 10; n += 1) budget.enter();
    expect(budget.share).toBe(windowMinBytes);
  });

  test('counts a session once, however often it ends', () => {
    const budget = new Budget(8 * MiB);
    const [first] = [budget.enter(), budget.enter()];
    expect(budget.share).toBe(2 * MiB);
    first?.[Symbol.dispose]();
    first?.[Symbol.dispose]();
    expect(budget.share).toBe(4 * MiB);
  });

  test('can be held to smaller windows', () => {
    expect(new Budget(budgetBytes, windowMinBytes).share).toBe(windowMinBytes);
  });
});
