import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { policyOf, readConfig } from './config.ts';
import { parseConfig, withSetting } from './file.ts';
import { variableOf } from './setting.ts';
import { isSettingName, settingOf, SETTING_NAMES } from './settings.ts';
import { readSources } from './sources.ts';
import { percent, share, size, usd, whole, wholeGiB } from './values.ts';

const discovery = 'https://discovery.example';
let home: string;

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'config-'));
  await mkdir(join(home, 'golem-provider'));
});
afterEach(() => rm(file(), { force: true }));
afterAll(() => rm(home, { recursive: true }));

const environment = (more: Record<string, string> = {}) => ({ XDG_CONFIG_HOME: home, ...more });
const file = () => join(home, 'golem-provider', 'config.toml');
describe('the configuration', () => {
  test('takes flags before the environment before the file before defaults', async () => {
    await writeFile(
      file(),

      [
        '# what I share',
        'discovery = "http://127.0.0.1:8787/"',
        'name = "from-file"',
        'memory = "50%"',
        'max-vms = 5',
        'price-cpu = 0.0000001',
        'image-dir = ["images", "/b"]',
        'allow-emulation = true',
      ].join('\n'),
    );
    const env = environment({
      GOLEM_PROVIDER_NAME: 'from-env',
      GOLEM_PROVIDER_MAX_VMS: '3',
      XDG_DATA_HOME: '/xdg',
    });
    expect(
      readConfig({ name: 'from-flag', cpus: '50%', 'price-memory': '0.1' }, env),
    ).toMatchObject({
      discovery: 'http://127.0.0.1:8787',
      name: 'from-flag',
      cpus: { percent: 50 },
      memory: { percent: 50 },
      storage: undefined,
      'max-vms': 3,
      'allow-emulation': true,
      'image-dir': [join(home, 'golem-provider', 'images'), '/b'],
      'data-dir': '/xdg/golem-provider',
      driver: 'qemu',
      'price-cpu': 100,
      'price-memory': 100_000_000,
    });
    expect(readConfig({ 'allow-emulation': false }, env)['allow-emulation']).toBe(false);
    const { candidates } = readSources({ name: 'from-flag' }, env);
    expect(candidates.name.map(({ origin }) => origin)).toEqual([
      { kind: 'flag', flag: '--name' },
      { kind: 'variable', variable: 'GOLEM_PROVIDER_NAME' },
      { kind: 'file', file: file(), line: 3 },
      { kind: 'default' },
    ]);
  });

  test('is what counts most of all that is said, whatever is said where', async () => {
    const said = fc.option(fc.integer({ min: 0, max: 10_000 }), { nil: undefined });
    await fc.assert(
      fc.asyncProperty(said, said, said, async (flag, variable, line) => {
        await writeFile(file(), line === undefined ? '' : `max-vms = ${line}\n`);
        const flags = flag === undefined ? {} : { 'max-vms': `${flag}` };
        const more: Record<string, string> =
          variable === undefined ? {} : { GOLEM_PROVIDER_MAX_VMS: `${variable}` };
        const env = environment(more);
        expect(readConfig({ discovery, ...flags }, env)['max-vms']).toBe(
          flag ?? variable ?? line ?? 16,
        );
        const origins = readSources(flags, env).candidates['max-vms'].map(
          ({ origin }) => origin.kind,
        );
        expect(origins).toEqual([
          ...(flag === undefined ? [] : ['flag']),
          ...(variable === undefined ? [] : ['variable']),
          ...(line === undefined ? [] : ['file']),
          'default',
        ]);
      }),
    );
  });

  test.each([
    [{ discovery: 'ftp://x' }, {}, '--discovery'],
    [{ discovery: 'discovery.example' }, {}, '--discovery'],
    [{ discovery, name: 'Upper Case' }, {}, '--name'],
    [{ discovery, name: '-x' }, {}, '--name'],
    [{ discovery, driver: 'vmware' }, {}, '--driver'],
    [{ discovery, memory: '4X' }, {}, '--memory'],
    [{ discovery, memory: '0.0001' }, {}, '--memory'],
    [{ discovery, memory: '0%' }, {}, '--memory'],
    [{ discovery, memory: '101%' }, {}, '--memory'],
    [{ discovery, cpus: '0' }, {}, '--cpus'],
    [{ discovery, cpus: '1e2' }, {}, '--cpus'],
    [{ discovery, storage: '1.5' }, {}, '--storage'],
    [{ discovery, 'price-cpu': '-1' }, {}, '--price-cpu'],
    [{ discovery, 'price-cpu': '101' }, {}, '--price-cpu'],
    [{ discovery }, { GOLEM_PROVIDER_MAX_VMS: 'many' }, 'GOLEM_PROVIDER_MAX_VMS'],
    [{ discovery }, { GOLEM_PROVIDER_ALLOW_EMULATION: 'maybe' }, 'GOLEM_PROVIDER_ALLOW_EMULATION'],
    [{}, {}, 'discovery'],
    [
      { discovery, lease: '31d' },
      {},
      'A lease of 31d (--lease) is above the lease-max of 30d (default)',
    ],
  ])('refuses %j %j, and says where it came from', (flags, env, where) => {
    expect(() => readConfig(flags, environment(env))).toThrow(
      expect.objectContaining({
        code: 'usage',
        message: expect.stringContaining(where) as string,
      }),
    );
  });

  test.each([
    ['discovery = "ftp://x"', ':1: discovery must be an http or https URL', undefined],
    ['\n\nmemroy = 4', ":3: there is no setting 'memroy'", 'Did you mean memory?'],
    ['# a\ncpus = "many"', ':2: cpus must be a whole number, or percent', undefined],
    ['cpus = [1]', ':1: cpus must be a string or a number', undefined],
    ['allow-emulation = "true"', ':1: allow-emulation must be true or false', undefined],
    ['image-dir = [1979-05-27]', ':1: image-dir must be a list of strings', undefined],
    ['[shares]\ncpus = 1', ":1: 'shares' is a table", 'Every setting is a line of its own'],
    ['price.cpu = 1', ":1: 'price.cpu' is a table", 'Every setting is a line of its own'],
    ['name = ', ':1:8: ', undefined],
    ['cpus = 1\ncpus = 2', ':2:1: ', undefined],
  ])('refuses a file with %j, and names the line', async (content, message, hint) => {
    await writeFile(file(), content);
    expect(() => readConfig(discoveryUnless(content), environment())).toThrow(
      expect.objectContaining({
        code: 'usage',
        message: expect.stringContaining(`${file()}${message}`) as string,
        ...(hint === undefined ? {} : { hint: expect.stringContaining(hint) as string }),
      }),
    );
  });
  const discoveryUnless = (content: string) =>
    content.startsWith('discovery') ? {} : { discovery };

  test('refuses a file that was named and is not there, but needs none', () => {
    const missing = { GOLEM_PROVIDER_CONFIG: join(home, 'none.toml') };
    expect(() => readConfig({ discovery }, environment(missing))).toThrow('none.toml');
    expect(readSources({ discovery }, environment()).hasFile).toBe(false);
  });

  test('names variables that are no settings', () => {
    const env = environment({ GOLEM_PROVIDER_CPU: '1', GOLEM_PROVIDER_CONFIG: '', OTHER: '' });
    expect(readSources({}, env).unknownVariables).toEqual(['GOLEM_PROVIDER_CPU']);
  });

  test('has defaults that it would take from a flag as well', () => {
    const config = readConfig({ discovery }, environment());
    expect(Object.keys(config)).toEqual(SETTING_NAMES);
    for (const name of SETTING_NAMES) {
      const { default: fallback, required, multiple } = settingOf(name);
      if (typeof fallback !== 'string') continue;
      expect({ name, required, multiple }).toEqual({ name });
      expect(readConfig({ discovery, [name]: fallback }, environment())).toEqual(config);
    }
    expect(new Set(SETTING_NAMES.map(variableOf)).size).toBe(SETTING_NAMES.length);
  });
});

describe('values', () => {
  test('sizes are the same in every unit', () => {
    const memory = size(1024 ** 4);
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 4096 }), (n) => {
        const mib = n * 1024;
        for (const text of [`${n}`, `${n}G`, `${n}GiB`, `${n}g`, `${mib}M`, `${mib}MiB`]) {
          expect(memory.parse(text)).toBe(mib);
        }
        expect(memory.parse(`${n}T`)).toBe(mib * 1024);
        expect(wholeGiB(0, 4096 * 1024).parse(`${n}T`)).toBe(mib);
        expect(share(memory).parse(`${n}G`)).toEqual({ amount: mib });
      }),
    );
  });

  test('percent are above nothing and at most all', () => {
    fc.assert(
      fc.property(fc.integer({ min: -100, max: 20_000 }), (hundredths) => {
        const n = hundredths / 100;
        const isValid = n > 0 && n <= 100;
        expect(share(whole(1, 9)).safeParse(`${n}%`)).toMatchObject(
          isValid ? { success: true, data: { percent: n } } : { success: false },
        );
        expect(percent.safeParse(`${n}`).success).toBe(isValid);
      }),
    );
  });

  test('dollars are exact to the ninth digit', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 8_000_000_000 }), (nano) => {
        expect(usd.parse((nano / 1e9).toFixed(9))).toBe(nano);
      }),
    );
  });

  test('nothing else is ever taken for a value', () => {
    const schemas = [
      size(1e9),
      wholeGiB(0, 1e9),
      share(whole(0, 1e9)),
      percent,
      usd,
      whole(0, 1e9),
    ];
    fc.assert(
      fc.property(fc.string(), fc.constantFrom(...schemas), (text, schema) => {
        const { success, data } = schema.safeParse(text);
        if (!success) return;
        const values = typeof data === 'object' ? Object.values(data) : [data];
        for (const value of values) expect(Number.isFinite(value) && value >= 0).toBe(true);
        expect(text).toMatch(/^\$?\d/);
      }),
    );
  });
});

describe('who may rent', () => {
  const [friend, foe] = [`gr_${'a'.repeat(26)}`, `gr_${'b'.repeat(26)}`];

  test('is everybody, for as much as there is, unless something is said', () => {
    const policy = policyOf(readConfig({ discovery }, environment()));
    const all = { vms: Infinity, cpus: Infinity, memoryMiB: Infinity };
    expect(policy).toEqual({
      ...{ access: 'public', allow: new Set(), deny: new Set() },
      ...{ perRequestor: all, strangers: all },
    });
  });

  test('is what is said, wherever that is', async () => {
    await writeFile(
      file(),
      [`access = "listed"`, `allow = ["${friend}"]`, 'max-memory-of-strangers = "512M"'].join('\n'),
    );
    const env = environment({
      GOLEM_PROVIDER_DENY: foe,
      GOLEM_PROVIDER_MAX_VMS_PER_REQUESTOR: '2',
    });
    expect(policyOf(readConfig({ discovery, 'max-cpus-of-strangers': '0' }, env))).toEqual({
      ...{ access: 'listed', allow: new Set([friend]), deny: new Set([foe]) },
      perRequestor: { vms: 2, cpus: Infinity, memoryMiB: Infinity },
      strangers: { vms: Infinity, cpus: 0, memoryMiB: 512 },
    });
  });

  test('is named by ids', () => {
    expect(() => readConfig({ discovery, deny: ['bob'] }, environment())).toThrow(
      '--deny must be the id of a requestor',
    );
  });
});

describe('the file', () => {
  const texts = fc.string({ unit: 'binary', minLength: 1 }).filter((text) => text.isWellFormed());

  test('is changed in place, and comments stay', () => {
    const before = '# mine\ncpus = 4 # four\nimage-dir = ["a", "b"]\n\n# end';
    const changed = withSetting(withSetting(before, 'cpus', '50%', 'f'), 'name', 'attic', 'f');
    expect(changed).toBe(
      '# mine\ncpus = "50%" # four\nimage-dir = ["a", "b"]\n\n# end\nname = "attic"\n',
    );
    expect(withSetting(changed, 'image-dir', '/x,/y', 'f')).toContain(
      'image-dir = ["/x", "/y"]\n\n# end',
    );
    expect(withSetting('', 'allow-emulation', 'true', 'f')).toBe('allow-emulation = true\n');
  });

  test('gives back whatever text was written into it', () => {
    fc.assert(
      fc.property(texts, texts, (name, log) => {
        const content = withSetting(withSetting('# x\n', 'name', name, 'f'), 'log-file', log, 'f');
        const entries = parseConfig(content, 'f');
        expect(entries.name).toMatchObject({ text: name, line: 2 });
        expect(entries['log-file']).toMatchObject({ text: log, line: 3 });
        const again = parseConfig(withSetting(content, 'name', log, 'f'), 'f');
        expect(again.name?.text).toBe(log);
        expect(again['log-file']?.text).toBe(log);
      }),
    );
  });

  test('is a list of settings or an error that names a line, whatever is in it', () => {
    const junk = fc.array(fc.oneof(fc.string(), fc.constantFrom('cpus = 1', 'name = "x"', '[a]')));
    fc.assert(
      fc.property(junk, (lines) => {
        try {
          expect(Object.keys(parseConfig(lines.join('\n'), 'f')).every(isSettingName)).toBe(true);
        } catch (error) {
          expect(error).toMatchObject({
            code: 'usage',
            message: expect.stringMatching(/^f:\d+:/) as string,
          });
        }
      }),
    );
  });
});
