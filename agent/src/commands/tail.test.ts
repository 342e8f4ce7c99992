import { appendFile, mkdtemp, rename, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { logLine } from '../presenters/log.ts';
import { tail } from './tail.ts';

let dir: string;
let file: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tail-'));
  file = join(dir, 'log');
});
afterEach(() => rm(dir, { recursive: true }));

async function last(count: number): Promise<string[]> {
  const lines: string[] = [];
  for await (const line of tail(file, { lines: count })) lines.push(line);
  return lines;
}

describe('the end of a file', () => {
  test('is as many lines as asked for', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.string({ maxLength: 40_000 }).map((line) => line.replaceAll('\n', ' ')),
          { maxLength: 12 },
        ),
        fc.nat({ max: 14 }),
        fc.boolean(),
        async (lines, count, ended) => {
          const whole = ended ? lines.map((line) => `${line}\n`).join('') : lines.join('\n');
          await writeFile(file, whole);
          const there = whole === '' ? [] : whole.replace(/\n$/, '').split('\n');
          expect(await last(count)).toEqual(count === 0 ? [] : there.slice(-count));
        },
      ),
      { numRuns: 60 },
    );
  });

  test('of a file that is not there is an error', async () => {
    await expect(last(1)).rejects.toMatchObject({ code: 'ENOENT' });
  });
});

describe('a file that is followed', () => {
  const stop = () => new AbortController();

  test('goes on over renames and cuts, and loses nothing', async () => {
    const stopping = stop();
    await writeFile(file, 'one\ntwo\n');
    const lines = tail(file, { lines: 1, signal: stopping.signal, pollMillis: 5 });
    const next = async () => (await lines.next()).value as string | undefined;
    expect(await next()).toBe('two');
    await appendFile(file, 'three\nfo');
    expect(await next()).toBe('three');
    // Rotated in the middle of a line, and written to once more by whoever has it open.
    await appendFile(file, 'ur\n');
    await rename(file, `${file}.1`);
    await appendFile(`${file}.1`, 'five\n');
    await writeFile(file, 'six\n');
    expect([await next(), await next(), await next()]).toEqual(['four', 'five', 'six']);
    await truncate(file, 0);
    await appendFile(file, '7\n');
    expect(await next()).toBe('7');
    const end = next();
    stopping.abort();
    expect(await end).toBe(undefined);
  });

  test('waits between the two steps of a rotation', async () => {
    const stopping = stop();
    await writeFile(file, 'one\n');
    let paused = Promise.withResolvers<() => void>();
    /** Resolves when it has looked, with what has it look again. */
    const looked = async () => {
      const goOn = await paused.promise;
      paused = Promise.withResolvers();
      return goOn;
    };
    const pause = () => new Promise<void>((goOn) => paused.resolve(goOn));
    const lines = tail(file, { lines: 1, signal: stopping.signal, pause });
    expect((await lines.next()).value).toBe('one');
    const next = lines.next();
    const beforeIt = await looked();
    await rename(file, `${file}.1`);
    beforeIt();
    const inBetween = await looked();
    await writeFile(file, 'two\n');
    inBetween();
    expect((await next).value).toBe('two');
    await lines.return(undefined);
  });
});

test('lines of the log are for people', () => {
  expect(
    logLine('{"level":"warn","time":"T","msg":"it broke","vm":"vm_x","err":{"message":"why"}}'),
  ).toBe('T WARN  it broke (why) vm=vm_x');
  expect(logLine('{"level":"info","time":"T","msg":"a\\u001b[2Jb","n":{"a":1}}')).toBe(
    'T INFO  a [2Jb n={"a":1}',
  );
  expect(logLine('plain\u0007')).toBe('plain ');
  expect(logLine('null')).toBe('null');
});
