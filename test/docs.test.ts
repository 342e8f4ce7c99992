/** What the pages say about the code, as far as a program can tell. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { COMMANDS } from '../agent/src/commands/index.ts';
import { describeSetting, GROUPS } from '../agent/src/config/setting.ts';
import { settingOf, SETTING_NAMES } from '../agent/src/config/settings.ts';
import { CLOSE } from '../shared/src/closes.ts';
import { ERRORS, EXIT } from '../shared/src/errors.ts';
import packageJson from '../package.json' with { type: 'json' };

const root = join(import.meta.dirname, '..');
const read = (page: string) => readFileSync(join(root, page), 'utf8');
const pages = [
  ...['README.md', 'CONTRIBUTING.md'],
  ...readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => join('docs', name)),
];

/** Cells of the rows of the first table whose header begins with these titles. */
function tableOf(page: string, ...titles: string[]): string[][] {
  return tables(page, titles)[0] ?? [];
}

/** The same of all such tables, one after the other. */
function tablesOf(page: string, ...titles: string[]): string[][] {
  return tables(page, titles).flat();
}

function tables(page: string, titles: readonly string[]): string[][][] {
  const rows = read(page)
    .split('\n')
    .map((line) => (line.startsWith('|') ? cellsOf(line) : undefined));
  return rows.flatMap((row, at) => {
    if (!titles.every((title, column) => row?.[column] === title)) return [];
    const end = rows.findIndex((cells, later) => later > at && cells === undefined);
    return [
      rows.slice(at + 2, end < 0 ? rows.length : end).flatMap((cells) => (cells ? [cells] : [])),
    ];
  });
}

/** A bar that is escaped is no border. */
function cellsOf(line: string): string[] {
  const cells = line.split(/(?<!\\)\|/).slice(1, -1);
  return cells.map((cell) => cell.trim().replaceAll('\\|', '|'));
}
const bare = (cell = '') => cell.replaceAll('`', '');

describe('tables are those of the code', () => {
  test('errors', () => {
    const rows = tableOf('docs/protocol.md', 'code', 'status', 'exit', 'retryable').map(
      ([code, status, exit, retryable]) => [bare(code), status, exit, retryable],
    );
    expect(rows).toEqual(
      Object.entries(ERRORS).map(([code, { status, exit, retryable }]) => [
        code,
        String(status ?? '—'),
        String(exit),
        retryable ? 'yes' : 'no',
      ]),
    );
  });

  test('close codes', () => {
    const rows = tableOf('docs/protocol.md', 'code', 'name').map(([code, name]) => [
      code,
      bare(name),
    ]);
    expect(rows).toEqual(Object.entries(CLOSE).map(([name, { code }]) => [String(code), name]));
  });

  test('settings of golem-provider', () => {
    const rows = tablesOf('docs/provider.md', 'setting', 'value').map((row) => row.map(bare));
    const wanted = Object.keys(GROUPS).flatMap((group) =>
      SETTING_NAMES.flatMap((name) => {
        const setting = settingOf(name);
        if (setting.group !== group) return [];
        const counts = setting.live ? 'at once' : 'from the next start on';
        return [[name, setting.value ?? '', describeSetting(setting), counts]];
      }),
    );
    expect(rows).toEqual(wanted);
  });

  test('commands of golem-provider', () => {
    const rows = tableOf('docs/provider.md', 'command', 'what it does');
    expect(rows.map(([name, summary]) => [bare(name), summary])).toEqual(
      Object.entries(COMMANDS).map(([name, { summary }]) => [name, summary]),
    );
  });

  test('exit codes', () => {
    const rows = tableOf('README.md', 'exit code', 'meaning').map(([code]) => Number(code));
    expect(rows).toEqual(Object.values(EXIT));
  });
});

describe.each(pages)('%s', (page) => {
  const text = read(page);

  test('links to what is there', () => {
    const links = [...text.matchAll(/\]\((?!https?:)([^)#]+)[^)]*\)/g)].map(
      ([, link = '']) => link,
    );
    expect(links.filter((link) => !existsSync(join(root, dirname(page), link)))).toEqual([]);
  });

  test('names files that are there', () => {
    const names = [...text.matchAll(/`((?:[\w.-]+\/)+[\w.-]+\.(?:ts|mjs|md|json|toml))`/g)];
    const missing = names
      .map(([, name = '']) => name)
      .filter((name) => !existsSync(join(root, name)));
    expect(missing).toEqual([]);
  });

  test('names commands that are there', () => {
    const names = [...text.matchAll(/npm run ([a-z][\w-]*)/g)].map(([, name = '']) => name);
    expect(names.filter((name) => !Object.hasOwn(packageJson.scripts, name))).toEqual([]);
  });
});

test('every decision is in the index, and the other way round', () => {
  const names = readdirSync(join(root, 'docs/decisions')).filter((name) => /^\d{4}-/.test(name));
  const index = [...read('docs/decisions/README.md').matchAll(/\]\((\d{4}-[^)]+)\)/g)];
  expect(index.map(([, name = '']) => name).sort()).toEqual(names.sort());
});
