/** What `golem doctor` finds, and what it says to do about it. */
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { http, HttpResponse } from 'msw';
import { generateOpenSshKeyPair } from '@vm-on-golem/shared/openssh';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { GolemError } from '@vm-on-golem/shared/errors';
import { doctor } from '../../src/commands/doctor.ts';
import { judgeNode } from '../../src/commands/doctor/machine.ts';
import { judgeClock } from '../../src/commands/doctor/network.ts';
import { checkupTable } from '../../src/presenters/doctor.ts';
import { render } from '../../src/presenters/render.ts';
import { openHome, standardHome } from '../../src/state/home.ts';
import { ownSshKey } from '../../src/state/ssh-keys.ts';
import type { TestContext } from '../context.ts';
import { DISCOVERY, serve, server } from '../network.ts';
import { OwnedProvider, personOf } from './world.ts';

let here: TestContext;
const checked = async (...words: string[]) => {
  const checks = await here.run(doctor, ...words);
  return {
    exit: doctor.exitCode?.(checks),
    of: (name: string) => checks.find((check) => check.name === name),
    levels: Object.fromEntries(checks.map(({ name, level }) => [name, level])),
  };
};

beforeAll(() => server.listen({ onUnhandledFrame: 'error' }));
afterAll(() => server.close());
beforeEach(async () => {
  here = await personOf();
  Object.assign(here.context, {
    home: openHome({ GOLEM_HOME: here.folder, GOLEM_DISCOVERY: DISCOVERY }),
    env: { HOME: here.folder, PATH: process.env['PATH'] },
    now: Date.now,
  });
  serve(await OwnedProvider.create('attic'));
  server.use(
    http.get(`${DISCOVERY}/healthz`, () =>
      HttpResponse.json({ ok: true }, { headers: { date: new Date().toUTCString() } }),
    ),
  );
  await ownSshKey(here.context.paths);
});
afterEach(async () => {
  server.resetHandlers();
  await here[Symbol.asyncDispose]();
});

test('all is well where all is well', async () => {
  await chmod(here.folder, 0o700);
  const { exit, levels } = await checked();
  expect(levels).toEqual({
    ...{ version: 'ok', node: 'ok', settings: 'ok', ssh: 'ok', include: 'skipped' },
    ...{ key: 'ok', 'ssh key': 'ok', folders: 'ok', rotation: 'ok', state: 'ok' },
    ...{ discovery: 'ok', clock: 'ok', provider: 'ok' },
  });
  expect(exit).toBe(0);
});

test('nothing that helps is cut, however narrow the terminal', () => {
  const what = `http://127.0.0.1:8787 cannot be reached: ${'x'.repeat(60)}`;
  const rows = [
    { name: 'key', level: 'ok', what: 'fine', fix: null },
    { name: 'discovery', level: 'failure', what, fix: 'golem config set discovery URL' },
  ];
  const shown = (format: 'table' | 'wide' | 'tsv') =>
    render(checkupTable(rows), { format, quiet: false, width: 60 }).split('\n');
  expect(shown('table')).toEqual([
    'CHECK      RESULT   WHAT',
    'key        ok       fine',
    `discovery  failure  ${what}`,
    'discovery: golem config set discovery URL',
    '',
  ]);
  expect(shown('tsv')[2]).toBe(`discovery\tfailure\t${what}\tgolem config set discovery URL`);
  expect(shown('wide')).toHaveLength(4);
});

describe('it says what helps', () => {
  test('where others may read the key', async () => {
    await chmod(here.context.paths.key, 0o644);
    const { exit, of } = await checked('--offline');
    expect(of('key')).toMatchObject({
      ...{ level: 'failure', fix: `Run: chmod 600 ${here.context.paths.key}` },
    });
    expect(exit).toBe(1);
  });

  test('where the SSH key is none that the key gives', async () => {
    const { privateKey } = await generateOpenSshKeyPair();
    await writeFile(join(here.context.paths.ssh, 'id_ed25519'), privateKey, { mode: 0o600 });
    expect((await checked('--offline')).of('ssh key')).toMatchObject({
      ...{ level: 'warning', fix: 'golem key backup FILE' },
    });
  });

  test('where others may look into the folders', async () => {
    await chmod(here.folder, 0o755);
    expect((await checked('--offline')).of('folders')).toMatchObject({ level: 'warning' });
  });

  test('where state is damaged', async () => {
    await mkdir(here.context.paths.vms, { recursive: true });
    const path = join(here.context.paths.vms, 'web.json');
    await writeFile(path, '{');
    expect((await checked('--offline')).of('state')).toMatchObject({
      ...{ level: 'failure', what: `${path} is damaged.` },
      fix: expect.stringContaining(`Remove ${path}`) as string,
    });
  });

  test('where the settings cannot be used', async () => {
    const problem = new GolemError('not_found', "There is no context 'x'.", {
      hint: 'Use another.',
    });
    const home = standardHome({ GOLEM_HOME: here.folder, GOLEM_CONTEXT: 'x' }, problem);
    Object.assign(here.context, { home });
    expect((await checked('--offline')).of('settings')).toMatchObject({
      ...{ level: 'failure', what: "There is no context 'x'.", fix: 'Use another.' },
    });
  });

  test('where there is no OpenSSH', async () => {
    Object.assign(here.context, { env: { HOME: here.folder, PATH: here.folder } });
    expect((await checked('--offline')).of('ssh')).toMatchObject({ level: 'warning' });
  });

  test('where the configuration of OpenSSH includes what is not there', async () => {
    await mkdir(join(here.folder, '.ssh'));
    await writeFile(
      join(here.folder, '.ssh', 'config'),
      'Include ~/.config/golem/openssh/*.conf\n',
    );
    expect((await checked('--offline')).of('include')).toMatchObject({ level: 'warning' });
    await mkdir(join(here.folder, 'openssh'));
    await writeFile(join(here.folder, 'openssh', 'default.conf'), '');
    expect((await checked('--offline')).of('include')).toMatchObject({ level: 'ok' });
  });

  test('where nobody answers', async () => {
    server.use(
      http.get(`${DISCOVERY}/healthz`, () => HttpResponse.error()),
      http.get(`${DISCOVERY}/v1/providers`, () => HttpResponse.error()),
    );
    const { levels, exit } = await checked();
    expect(levels).toMatchObject({ discovery: 'failure', clock: 'skipped', provider: 'failure' });
    expect(exit).toBe(1);
  });

  test('where something else answers', async () => {
    server.use(http.get(`${DISCOVERY}/healthz`, () => new HttpResponse('', { status: 404 })));
    expect((await checked()).of('discovery')).toMatchObject({
      ...{ level: 'failure', fix: 'golem config set discovery URL' },
    });
  });
});

test.each([
  ['24.0.0', 'ok'],
  ['30.1.2', 'ok'],
  ['20.11.1', 'failure'],
])('Node %s is %s', (version, level) => {
  expect(judgeNode(version).level).toBe(level);
});

const AT = 1_000_000_000_000;
test.each([
  [0, 'ok', 'agrees'],
  [200, 'ok', 'agrees'],
  [-999, 'ok', 'agrees'],
  [3_200, 'warning', '3 s behind'],
  [-4_000, 'warning', '3 s ahead of'],
  [30_200, 'failure', '30 s behind'],
  [-31_000, 'failure', '30 s ahead of'],
])('a clock that differs by %i ms: %s', (skew, level, what) => {
  const found = judgeClock({ date: AT + skew, from: AT, to: AT + 200 });
  expect(found).toMatchObject({ level, what: expect.stringContaining(what) as string });
});

test('a clock that nothing is known of', () => {
  expect(judgeClock({ date: undefined, from: AT, to: AT }).level).toBe('skipped');
});
