import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  look,
  LOOKS,
  NO_PRESSURE,
  pressureReason,
  RECOVERY_POINTS,
  type Load,
  type Pressure,
} from './thresholds.ts';

const thresholds = { cpu: 90, memory: 90, disk: 90 };
const load = (cpu: number | undefined): Load => ({ cpu, memory: 10, disk: 10 });
const play = (cpus: readonly (number | undefined)[], from: Pressure = NO_PRESSURE) =>
  cpus.reduce<Pressure>((pressure, cpu) => look(pressure, load(cpu), thresholds), from);

describe('the thresholds', () => {
  test('close after three looks in a row, and open after three well below', () => {
    expect(play([95, 95]).cpu.over).toBe(false);
    expect(play([95, 95, 10, 95, 95]).cpu.over).toBe(false);
    const closed = play([95, 90, 95]);
    expect(closed.cpu.over).toBe(true);
    expect(play([86, 86, 86, 86], closed).cpu.over).toBe(true);
    expect(play([85, 85, 86, 85, 85], closed).cpu.over).toBe(true);
    expect(play([85, 85, 85], closed).cpu.over).toBe(false);
  });

  test('are not moved by what is not known', () => {
    expect(play([95, undefined, 95, undefined, 95]).cpu.over).toBe(true);
    expect(play([undefined, undefined, undefined]).cpu.over).toBe(false);
  });

  test('of 100 percent are none', () => {
    const none = { cpu: 100, memory: 100, disk: 100 };
    const full = { cpu: 100, memory: 100, disk: 100 };
    let pressure = NO_PRESSURE;
    for (let n = 0; n < 10; n += 1) pressure = look(pressure, full, none);
    expect(pressureReason(pressure, full, none)).toBeUndefined();
  });

  test('say what is too much, and when it is not any more', () => {
    expect(pressureReason(NO_PRESSURE, load(95), thresholds)).toBeUndefined();
    const both = { cpu: 93.4, memory: 91, disk: 10 };
    let pressure = NO_PRESSURE;
    for (let n = 0; n < LOOKS; n += 1) pressure = look(pressure, both, thresholds);
    expect(pressureReason(pressure, both, thresholds)).toBe(
      "The provider's machine is too busy: its own work takes 93 % of its CPUs (it takes VMs below 85 %), and 91 % of its memory are in use (it takes VMs below 85 %).",
    );
  });

  test('never change twice within as many looks as a change needs', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 100 }), { maxLength: 200 }), (percents) => {
        let pressure = NO_PRESSURE;
        let since = LOOKS;
        for (const percent of percents) {
          const before = pressure.cpu.over;
          pressure = look(pressure, load(percent), thresholds);
          since += 1;
          if (pressure.cpu.over === before) continue;
          expect(since).toBeGreaterThanOrEqual(LOOKS);
          const beyond = pressure.cpu.over ? percent >= 90 : percent <= 90 - RECOVERY_POINTS;
          expect(beyond).toBe(true);
          since = 0;
        }
      }),
    );
  });
});
