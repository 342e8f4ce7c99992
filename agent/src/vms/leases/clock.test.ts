import { assert, integer, property } from 'fast-check';
import { describe, expect, test } from 'vitest';
import type * as z from 'zod';
import { goOn, LeaseClock } from './clock.ts';

const DAY = 24 * 3600_000;

class Facts {
  readonly values = new Map<string, string>();
  get<Schema extends z.ZodType>(name: string, schema: Schema): z.output<Schema> | undefined {
    const text = this.values.get(name);
    return text === undefined ? undefined : schema.parse(JSON.parse(text));
  }
  put(name: string, value: unknown): void {
    this.values.set(name, JSON.stringify(value));
  }
}

function machine() {
  const facts = new Facts();
  const state = { wall: 1_700_000_000_000, up: 5_000, boot: 'one' };
  return {
    facts,
    state,
    start: () =>
      new LeaseClock({
        facts,
        host: { bootId: state.boot, uptime: () => state.up },
        now: () => state.wall,
      }),
    /** Time passes. */
    pass(millis: number) {
      state.wall += millis;
      state.up += millis;
    },
  };
}

describe('lease time', () => {
  test('begins as the wall clock and goes on with it', () => {
    const { state, start, pass } = machine();
    const clock = start();
    expect(clock.now()).toBe(state.wall);
    pass(DAY);
    expect(clock.now()).toBe(state.wall);
  });

  test('does not move when somebody sets the clock, however far', () => {
    assert(
      property(integer({ min: -1000 * DAY, max: 1000 * DAY }), (jump) => {
        const { state, start, pass } = machine();
        const clock = start();
        const before = clock.now();
        state.wall += jump;
        expect(clock.now()).toBe(before);
        pass(1000);
        expect(clock.now()).toBe(before + 1000);
      }),
    );
  });

  test('shows its times by the clock as it is set now', () => {
    const { state, start } = machine();
    const clock = start();
    const end = clock.now() + DAY;
    expect(clock.toWall(end)).toBe(state.wall + DAY);
    state.wall += 3 * DAY;
    expect(clock.toWall(end)).toBe(state.wall + DAY);
    expect(clock.fromWall(state.wall + DAY)).toBe(end);
  });

  test('shows the same time while the clock is only being trimmed', () => {
    const { state, start } = machine();
    const clock = start();
    const shown = clock.toWall(clock.now() + DAY);
    const end = clock.now() + DAY;
    state.wall += 900;
    expect(clock.toWall(end)).toBe(shown);
  });

  test('goes on while no agent runs, and with the next agent', () => {
    const { start, pass } = machine();
    const before = start().now();
    pass(2 * DAY);
    expect(start().now()).toBe(before + 2 * DAY);
  });

  test('stands still while the machine is off, whatever its clock says then', () => {
    for (const wall of [0, 1_700_000_000_000, 1_900_000_000_000]) {
      const { state, start, pass } = machine();
      const clock = start();
      pass(10 * 60_000);
      clock.save();
      const before = clock.now();
      Object.assign(state, { boot: 'two', up: 1, wall });
      expect(start().now()).toBe(before);
    }
  });

  test('loses no more with a restart of the machine than since it was last written down', () => {
    const { state, start, pass } = machine();
    const clock = start();
    let saved = clock.now();
    for (let i = 0; i < 100; i += 1) {
      pass(15_000);
      clock.save();
    }
    const before = clock.now();
    Object.assign(state, { boot: 'two', up: 1 });
    saved = start().now();
    expect(saved).toBeLessThanOrEqual(before);
    expect(before - saved).toBeLessThanOrEqual(5 * 60_000);
  });

  test('never goes back, also when the uptime does', () => {
    const { state, start } = machine();
    const clock = start();
    const before = clock.now();
    state.up = 10;
    expect(clock.now()).toBe(before);
    state.up = 20;
    expect(clock.now()).toBe(before + 10);
    expect(goOn({ boot: 'one', up: 50, at: 7 }, 'one', 20, 99)).toEqual({
      ...{ boot: 'one', up: 20, at: 7 },
    });
  });
});
