/**
 * What is printed, to the letter, where it goes to a terminal, into a pipe, and as data. The files are
 * in test/golden; `vitest run --project cli golden -u` writes them anew.
 */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { run } from '../../../test/golem.ts';
import { Terminal } from '../../../test/terminal.ts';
import { vmOf } from '../network.ts';

const launcher = join(import.meta.dirname, '..', '..', 'bin', 'golem.js');
const golden = (name: string) =>
  join(import.meta.dirname, '..', '..', '..', 'test', 'golden', `${name}.txt`);
const PROVIDERS = [`gp_${'a'.repeat(26)}`, `gp_${'b'.repeat(26)}`] as const;
const RENTALS = [
  { name: 'web', provider: PROVIDERS[0], vm: vmOf() },
  {
    name: 'build-machine-of-the-whole-team',
    provider: PROVIDERS[1],
    vm: vmOf({
      id: `vm_${'b'.repeat(20)}`,
      name: 'build-machine-of-the-whole-team',
      state: 'stopped',
      image: 'ubuntu-24.04',
      resources: { cpus: 16, memoryMiB: 65_536, storageGiB: 500 },
      hourlyPrice: 412_345_678,
    }),
  },
];

let home: string;
beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'golem-golden-'));
  await mkdir(join(home, 'vms'), { mode: 0o700 });
  for (const { name, provider, vm } of RENTALS) {
    const entry = { version: 2, name, provider, vm };
    await writeFile(join(home, 'vms', `${name}.json`), JSON.stringify(entry), { mode: 0o600 });
  }
});
afterAll(() => rm(home, { recursive: true }));

const env = () => ({ GOLEM_HOME: home, HOME: home, GOLEM_DISCOVERY: 'http://127.0.0.1:9' });
const LIST = ['vm', 'list', '--cached'];

describe('in a pipe', () => {
  test.each([
    ['list-pipe', LIST],
    ['list-json', [...LIST, '-o', 'json']],
    ['list-yaml', [...LIST, '-o', 'yaml']],
    ['list-wide', [...LIST, '-o', 'wide']],
    ['list-table', [...LIST, '-o', 'table']],
    ['list-name', [...LIST, '-o', 'name']],
    ['list-quiet', [...LIST, '-q']],
    ['help', ['help']],
    ['help-list', ['vm', 'list', '--help']],
  ])('%s', async (name, words) => {
    const { status, stdout, stderr } = await run([process.execPath, launcher, ...words], {
      env: env(),
    });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    await expect(stdout).toMatchFileSnapshot(golden(name));
  });

  test.each([
    ['error-name', ['vm', 'info', 'wbe']],
    ['error-json', ['vm', 'info', 'wbe', '-o', 'json']],
    ['error-option', ['vm', 'list', '--cachde']],
    ['error-command', ['vm', 'lst']],
  ])('%s', async (name, words) => {
    const { status, stdout, stderr } = await run([process.execPath, launcher, ...words], {
      env: env(),
    });
    expect(status).not.toBe(0);
    expect(stdout).toBe('');
    await expect(stderr).toMatchFileSnapshot(golden(name));
  });
});

describe('on a terminal', () => {
  test.each([60, 80, 120, 200])('of %i columns the list fits', async (columns) => {
    await using terminal = await Terminal.open({
      ...{ rows: 10, columns },
      env: { PATH: process.env['PATH'] ?? '', ...env() },
    });
    await terminal.type(`clear; ${process.execPath} ${launcher} ${LIST.join(' ')}; echo en''d`);
    const screen = await terminal.shows(/^end/m);
    const table = `${screen.split('\n').slice(0, 3).join('\n')}\n`;
    // What is too wide for its line goes on in the next one.
    expect(screen.split('\n')[3]).toBe('end');
    await expect(table).toMatchFileSnapshot(golden(`list-terminal-${columns}`));
  });
});
