/** What the pages say about the code, as far as a program can tell. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
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

/** Cells of the rows of the table whose header begins with these titles. */
function tableOf(page: string, ...titles: string[]): string[][] {
  const rows = read(page)
    .split('\n')
    .map((line) =>
      (line.startsWith('|') ? line.split('|').slice(1, -1) : undefined)?.map((c) => c.trim()),
    );
  const start = rows.findIndex((cells) => titles.every((title, at) => cells?.[at] === title));
  const end = rows.findIndex((cells, at) => at > start && cells === undefined);
  return rows.slice(start + 2, end).flatMap((cells) => (cells ? [cells] : []));
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
