/** Settings: who says what, in which order, and what becomes of a damaged file. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { changeConfig, readConfig, type Config } from '../../src/state/config.ts';
import { openHome } from '../../src/state/home.ts';
import { SETTINGS } from '../../src/state/settings.ts';

let home: string;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'golem-config-'));
});
afterEach(() => rm(home, { recursive: true }));

const file = () => join(home, 'config.json');
const CONFIG: Config = {
  contexts: {
    default: { discovery: 'https://home.test' },
    work: { discovery: 'https://work.test', ownKey: true },
  },
  settings: { 'relay-grace': '9' },
};

test('is nothing at first, and has what was written', async () => {
  expect(readConfig(file())).toEqual({ contexts: {}, settings: {} });
  await changeConfig(file(), () => CONFIG);
  expect(readConfig(file())).toEqual(CONFIG);
  expect(JSON.parse(await readFile(file(), 'utf8'))).toMatchObject({ version: 1 });
});

test('loses no change to another program', async () => {
  const names = Array.from({ length: 20 }, (_, at) => `c${at}`);
  await Promise.all(
    names.map((name) =>
      changeConfig(file(), (now) => ({ ...now, contexts: { ...now.contexts, [name]: {} } })),
    ),
  );
  expect(Object.keys(readConfig(file()).contexts).sort()).toEqual(names.sort());
});

test.each([
  '',
  '[]',
  'null',
  '{"contexts":[]}',
  '{"contexts":{"a":1}}',
  '{"contexts":{"a":{"discovery":1}}}',
  '{"contexts":{"a":{"ownKey":"yes"}}}',
  '{"settings":{"relay-grace":9}}',
  '{"context":7}',
])('that is damaged is named and left: %s', async (text) => {
  await writeFile(file(), text);
  const refusal = { code: 'internal', message: `${file()} is damaged.` };
  expect(() => readConfig(file())).toThrow(expect.objectContaining(refusal));
  await expect(changeConfig(file(), () => CONFIG)).rejects.toMatchObject(refusal);
  expect(await readFile(file(), 'utf8')).toBe(text);
});

test('of a version to come is not read', async () => {
  await writeFile(file(), '{"version":2}');
  expect(() => readConfig(file())).toThrow(expect.objectContaining({ code: 'incompatible' }));
});

describe('a home', () => {
  const open = (env: Record<string, string> = {}, flag?: string) =>
    openHome({ GOLEM_HOME: home, ...env }, flag);

  test('has the standard context and the standard discovery where nothing is said', () => {
    expect(open()).toMatchObject({
      context: { value: 'default', origin: 'default' },
      discovery: 'http://127.0.0.1:8787',
      env: { GOLEM_HOME: home },
    });
    expect(open().env).not.toHaveProperty('GOLEM_CONTEXT');
    expect(open().env).not.toHaveProperty('GOLEM_DISCOVERY');
  });

  const seen = (env: Record<string, string> = {}, flag?: string) => {
    const { context, discovery, paths } = open(env, flag);
    return [context.value, context.origin, discovery, paths.vms.slice(home.length)];
  };

  test.each([
    [{}, undefined, ['default', 'default', 'https://home.test', '/vms']],
    [
      { GOLEM_DISCOVERY: 'https://x.test' },
      undefined,
      ['default', 'default', 'https://x.test', '/vms'],
    ],
    [
      { GOLEM_CONTEXT: 'work' },
      undefined,
      ['work', 'environment', 'https://work.test', '/vms/work'],
    ],
    [{ GOLEM_CONTEXT: '' }, undefined, ['default', 'default', 'https://home.test', '/vms']],
    [
      { GOLEM_CONTEXT: 'work', GOLEM_DISCOVERY: 'https://x.test' },
      undefined,
      ['work', 'environment', 'https://x.test', '/vms/work'],
    ],
    [
      { GOLEM_DISCOVERY: 'https://x.test' },
      'work',
      ['work', 'flag', 'https://work.test', '/vms/work'],
    ],
    [{ GOLEM_CONTEXT: 'work' }, 'default', ['default', 'flag', 'https://home.test', '/vms']],
  ] as const)(
    'takes the flag before the environment before the file: %j %s',
    async (env, flag, expected) => {
      await changeConfig(file(), () => CONFIG);
      expect(seen(env, flag)).toEqual(expected);
    },
  );

  test('takes the context of the file where no other is said', async () => {
    await changeConfig(file(), () => ({ ...CONFIG, context: 'work' }));
    expect(seen()).toEqual(['work', 'file', 'https://work.test', '/vms/work']);
    expect(open().paths.key).toBe(join(home, 'contexts', 'work', 'key.json'));
  });

  test('passes on what the file says to programs that are started', async () => {
    await changeConfig(file(), () => ({ ...CONFIG, context: 'work' }));
    expect(open().env).toEqual({
      GOLEM_HOME: home,
      GOLEM_CONTEXT: 'work',
      GOLEM_DISCOVERY: 'https://work.test',
      GOLEM_RELAY_GRACE: '9',
    });
    const again = openHome(open().env);
    expect([again.discovery, again.paths]).toEqual([open().discovery, open().paths]);
  });

  test('has no context that nobody added', async () => {
    await changeConfig(file(), () => CONFIG);
    expect(() => open({}, 'wrok')).toThrow(
      expect.objectContaining({ code: 'not_found', hint: 'Did you mean work?' }),
    );
    expect(() => open({ GOLEM_CONTEXT: '__proto__' })).toThrow(
      expect.objectContaining({ code: 'not_found' }),
    );
  });

  test('knows where every setting comes from', async () => {
    await changeConfig(file(), () => CONFIG);
    const here = open({ GOLEM_RELAY_WINDOW: '64' });
    expect(SETTINGS.map((setting) => [setting.name, here.valueOf(setting).origin])).toEqual([
      ['discovery', 'file'],
      ['relay-grace', 'file'],
      ['relay-window', 'environment'],
    ]);
  });
});
