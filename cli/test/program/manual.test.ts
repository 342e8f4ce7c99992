/** What the commands say about themselves: the files made of it, and whether it is true. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { GROUPS, TOP } from '../../src/commands/index.ts';
import { parseArgv } from '../../src/program/argv.ts';
import { manualOf } from '../../src/program/manual.ts';
import { pagesOf } from '../../src/program/pages.ts';
import { route } from '../../src/program/tree.ts';
import { ownVersion } from '../../src/program/version.ts';
import { commandLines } from './shell-words.ts';

const root = join(import.meta.dirname, '..', '..', '..');
const tree = { groups: GROUPS, top: TOP };
const manual = await manualOf(tree);

test("docs/cli.md, the manual and completion are the commands' own: run 'npm run docs'", async () => {
  const pages = pagesOf(manual, ownVersion());
  const stale: string[] = [];
  for (const [path, text] of pages) {
    const written = await readFile(join(root, path), 'utf8').catch(() => '');
    if (written !== text) stale.push(path);
  }
  const there = await readdir(join(root, 'docs/man'));
  expect(stale).toEqual([]);
  expect(there.filter((name) => !pages.has(`docs/man/${name}`))).toEqual([]);
});

describe.each(manual.commands)('$path', ({ summary, examples, options, usage }) => {
  test('has examples, all of which are taken', async () => {
    expect(examples.length).toBeGreaterThan(0);
    const called = new Set<readonly string[]>();
    for (const example of examples) {
      const lines = commandLines(example).filter(([program]) => program === 'golem');
      expect(lines.length).toBeGreaterThan(0);
      for (const [, ...words] of lines) {
        const found = route(tree, words);
        if (found.kind !== 'command') throw new Error(`${example} calls no command`);
        const command = await found.entry.load();
        parseArgv(command, found.rest, found.path);
        called.add(command.examples);
      }
    }
    // Some of them are of this command, by whatever name.
    expect(called).toContain(examples);
  });

  test('has one line that says what it does, and one for each option', () => {
    for (const text of [summary, ...options.map((option) => option.summary)]) {
      expect(text).toMatch(/^\S.*[^.\s]$/);
      expect(text).not.toContain('\n');
    }
    expect(summary.length).toBeLessThanOrEqual(80);
    for (const { value, choices, name } of options) {
      expect(name).toMatch(/^[a-z][a-z0-9-]*$/);
      if (value !== undefined) expect(value).toMatch(/^\[?[A-Z]/);
      if (choices) expect(value).toBeDefined();
    }
    expect(usage).toBe(usage.trim());
  });
});
