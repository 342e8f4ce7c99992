import { describe, expect, test } from 'vitest';
import { chooseCapacity } from './capacity.ts';
import { readConfig, SETTINGS } from './config.ts';

const discovery = 'https://discovery.example';

describe('the configuration', () => {
  test('takes flags before the environment before defaults', () => {
    const env = {
      GOLEM_PROVIDER_DISCOVERY: 'http://127.0.0.1:8787/',
      GOLEM_PROVIDER_NAME: 'from-env',
      GOLEM_PROVIDER_MAX_VMS: '3',
      GOLEM_PROVIDER_ALLOW_EMULATION: 'true',
      GOLEM_PROVIDER_IMAGE_DIR: '/a,/b',
      XDG_DATA_HOME: '/xdg',
    };
    expect(readConfig({ name: 'from-flag', memory: '512M' }, env)).toMatchObject({
      discovery: 'http://127.0.0.1:8787',
      name: 'from-flag',
      'max-vms': 3,
      'allow-emulation': true,
      'image-dir': ['/a', '/b'],
      'data-dir': '/xdg/golem-provider',
      memory: 512,
      driver: 'qemu',
      'price-cpu': 5_000_000,
    });
  });

  test.each([
    [{ discovery: 'ftp://x' }, {}, '--discovery'],
    [{ discovery: 'discovery.example' }, {}, '--discovery'],
    [{ discovery, name: 'Upper Case' }, {}, '--name'],
    [{ discovery, name: '-x' }, {}, '--name'],
    [{ discovery, driver: 'vmware' }, {}, '--driver'],
    [{ discovery, memory: '4T' }, {}, '--memory'],
    [{ discovery, memory: '0.0001' }, {}, '--memory'],
    [{ discovery, cpus: '0' }, {}, '--cpus'],
    [{ discovery, cpus: '1e2' }, {}, '--cpus'],
    [{ discovery, 'price-cpu': '-1' }, {}, '--price-cpu'],
    [{ discovery, 'price-cpu': '101' }, {}, '--price-cpu'],
    [{ discovery }, { GOLEM_PROVIDER_MAX_VMS: 'many' }, 'GOLEM_PROVIDER_MAX_VMS'],
    [{ discovery }, { GOLEM_PROVIDER_ALLOW_EMULATION: 'maybe' }, 'GOLEM_PROVIDER_ALLOW_EMULATION'],
    [{}, {}, 'discovery'],
  ])('refuses %j %j, and says where it came from', (flags, env, where) => {
    expect(() => readConfig(flags, env)).toThrow(
      expect.objectContaining({
        code: 'usage',
        message: expect.stringContaining(where) as string,
      }),
    );
  });

  test('has a default or a place in the help for every setting', () => {
    const config = readConfig({ discovery }, {});
    const optional = ['cpus', 'memory', 'storage', 'log-file'];
    expect(Object.keys(config).sort()).toEqual(
      Object.keys(SETTINGS)
        .filter((name) => !optional.includes(name))
        .sort(),
    );
  });
});

describe('the capacity', () => {
  const machine = { cpus: 8, memoryMiB: 16_384, freeStorageGiB: 100 };
  const config = readConfig({ discovery }, {});

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

  test('may be more CPUs and disk than there are, but never more memory', () => {
    const generous = readConfig({ discovery, cpus: '32', storage: '500' }, {});
    expect(chooseCapacity(generous, machine)).toMatchObject({ cpus: 32, storageGiB: 500 });
    const reckless = readConfig({ discovery, memory: '15' }, {});
    expect(() => chooseCapacity(reckless, machine)).toThrow(
      expect.objectContaining({ code: 'usage' }),
    );
  });
});
