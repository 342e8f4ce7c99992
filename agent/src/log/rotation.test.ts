import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { RotatingFile } from './rotation.ts';

let dir: string;
let path: string;
const said: string[] = [];
const fallback = { write: (line: string) => void said.push(line) };
const bounds = { fileBytes: 100, oldFiles: 2 };

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'golem-log-'));
  path = join(dir, 'log', 'provider.log');
  said.length = 0;
});
afterEach(() => rm(dir, { recursive: true, force: true }));

/** 40 bytes. */
const line = (n: number) => `${String(n).padStart(39, '0')}\n`;

describe('a log file', () => {
  test('is the only one until it is full, is bounded from then on, and loses the oldest lines', async () => {
    using file = new RotatingFile(path, bounds, fallback);
    for (let n = 0; n < 20; n += 1) file.write(line(n));
    expect((await readdir(join(dir, 'log'))).sort()).toEqual([
      'provider.log',
      'provider.log.1',
      'provider.log.2',
    ]);
    const kept = await Promise.all(
      ['.2', '.1', ''].map((suffix) => readFile(`${path}${suffix}`, 'utf8')),
    );
    expect(kept.join('')).toBe([14, 15, 16, 17, 18, 19].map(line).join(''));
    expect(kept.map((text) => text.length)).toEqual([80, 80, 80]);
    expect(said).toEqual([]);
  });

  test('is gone on with by the next program, and holds a line that is larger than it may be', async () => {
    {
      using file = new RotatingFile(path, bounds, fallback);
      file.write(line(1));
    }
    using file = new RotatingFile(path, bounds, fallback);
    file.write(line(2));
    expect(await readFile(path, 'utf8')).toBe(line(1) + line(2));
    const large = `${'x'.repeat(500)}\n`;
    file.write(large);
    file.write(line(3));
    expect(await readFile(`${path}.1`, 'utf8')).toBe(large);
    expect(await readFile(path, 'utf8')).toBe(line(3));
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect((await stat(join(dir, 'log'))).mode & 0o777).toBe(0o700);
  });

  test('that cannot be rotated says so once, loses no line, and goes on when it can', async () => {
    using file = new RotatingFile(path, bounds, fallback);
    file.write(line(1));
    file.write(line(2));
    await mkdir(`${path}.2/in-the-way`, { recursive: true });
    file.write(line(3));
    file.write(line(4));
    expect(said).toHaveLength(3);
    expect(said[0]).toContain('cannot be written');
    expect(said.slice(1)).toEqual([line(3), line(4)]);
    await rm(`${path}.2`, { recursive: true });
    file.write(line(5));
    expect(await readFile(path, 'utf8')).toBe(line(5));
    expect(await readFile(`${path}.1`, 'utf8')).toBe(line(1) + line(2));
  });

  test('that cannot be opened stops the program, and says what helps', async () => {
    await writeFile(join(dir, 'log'), 'a file');
    expect(() => new RotatingFile(path, bounds, fallback)).toThrow(
      expect.objectContaining({
        code: 'usage',
        hint: expect.stringContaining('--log-file') as string,
      }),
    );
  });
});
