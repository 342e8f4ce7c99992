import { appendFile, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { boundConsole, previousOf, readConsole } from './console.ts';

let dir: string;
let folder: { readonly console: string };
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'golem-console-'));
  folder = { console: join(dir, 'console.log') };
});
afterEach(() => rm(dir, { recursive: true }));

const read = async (maxBytes: number, after?: number) => {
  const { bytes, from, epoch } = await readConsole(folder, maxBytes, after);
  return { text: bytes.toString(), from, epoch };
};

test('no file is an empty console', async () => {
  expect(await read(100)).toEqual({ text: '', from: 0, epoch: 0 });
  expect(await read(100, 5)).toEqual({ text: '', from: 0, epoch: 0 });
});

test('a file that grows is read from where one was', async () => {
  await writeFile(folder.console, 'booting\n');
  expect(await read(4)).toEqual({ text: 'ing\n', from: 4, epoch: 0 });
  expect(await read(100, 8)).toEqual({ text: '', from: 8, epoch: 0 });
  await appendFile(folder.console, 'ready\n');
  expect(await read(100, 8)).toEqual({ text: 'ready\n', from: 8, epoch: 0 });
});

test('a start, and a log that is cut, are another epoch', async () => {
  await writeFile(folder.console, 'first boot\n');
  const first = await read(100);
  await rename(folder.console, previousOf(folder.console));
  await writeFile(folder.console, 'second boot\n');
  const second = await read(100, 11);
  expect(second.epoch).toBeGreaterThan(first.epoch);
  expect((await read(100, 0)).text).toBe('second boot\n');
  expect((await read(100)).epoch).toBe(second.epoch);

  await writeFile(folder.console, 'x'.repeat(1024 * 1024));
  await boundConsole(folder);
  expect((await read(100)).epoch).toBe(second.epoch);
  await appendFile(folder.console, 'the end\n');
  await boundConsole(folder);
  const third = await read(100, 1024 * 1024);
  expect(third).toMatchObject({ text: '', from: 0 });
  expect(third.epoch).toBeGreaterThan(second.epoch);
  expect((await readFile(previousOf(folder.console), 'utf8')).endsWith('xthe end\n')).toBe(true);
  await appendFile(folder.console, 'goes on\n');
  expect(await read(100, 0)).toEqual({ text: 'goes on\n', from: 0, epoch: third.epoch });
});
