import { describe, expect, test } from 'vitest';
import { chooseCapacity } from './capacity.ts';
import { readConfig } from '../config/config.ts';

const discovery = 'https://discovery.example';
const env = { XDG_CONFIG_HOME: '/nowhere' };

describe('the capacity', () => {
  const machine = { cpus: 8, memoryMiB: 16_384, freeStorageGiB: 100 };
  const config = readConfig({ discovery }, env);

  test('is what the machine has but for the reserve', () => {
    expect(chooseCapacity(config, machine)).toEqual({
      cpus: 7,
      memoryMiB: 14_336,
      storageGiB: 90,
      vms: 16,
    });
  });

  test('is never less than nothing', () => {
    const small = { cpus: 1, memoryMiB: 1024, freeStorageGiB: 5 };
    expect(chooseCapacity(config, small)).toEqual({
      cpus: 1,
      memoryMiB: 0,
      storageGiB: 0,
      vms: 16,
    });
  });

  test('is percent of what there is, and never nothing', () => {
    const half = readConfig({ discovery, cpus: '50%', memory: '50%', storage: '25%' }, env);
    expect(chooseCapacity(half, machine)).toEqual({
      cpus: 4,
      memoryMiB: 8192,
      storageGiB: 25,
      vms: 16,
    });
    const sliver = readConfig({ discovery, cpus: '1%' }, env);
    expect(chooseCapacity(sliver, machine)).toMatchObject({ cpus: 1 });
  });

  test('may be more CPUs than there are, by a factor that is said, but never more memory', () => {
    const generous = readConfig({ discovery, cpus: '50%', 'cpu-overcommit': '2.5' }, env);
    expect(chooseCapacity(generous, machine)).toMatchObject({ cpus: 10 });
    for (const flags of [{ cpus: '9' }, { memory: '15' }]) {
      const reckless = readConfig({ discovery, ...flags }, env);
      expect(() => chooseCapacity(reckless, machine)).toThrow(
        expect.objectContaining({ code: 'usage' }),
      );
    }
  });
});
