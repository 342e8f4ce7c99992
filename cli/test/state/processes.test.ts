/** Programs of their own at one book: many at once, and killed while they write. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { VmBook } from '../../src/state/book.ts';
import { vmOf } from '../network.ts';

const AT_ONCE = 50;
const KILLS = 12;
const MINUTES_MILLIS = 120_000;
const writer = join(import.meta.dirname, 'writer.ts');
const start = (...words: string[]) =>
  spawn(process.execPath, [writer, home, ...words], { stdio: ['ignore', 'pipe', 'inherit'] });

let home: string;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'golem-writers-'));
});
afterEach(() => rm(home, { recursive: true }));

const first = { name: 'web', provider: `gp_${'a'.repeat(26)}`, vm: vmOf() };
const counted = async () => Number((await new VmBook(home).get('web'))?.vm?.labels?.['n']);

async function printed(...words: string[]): Promise<string> {
  const child = start(...words);
  const [output, [code]] = await Promise.all([text(child.stdout), once(child, 'close')]);
  expect(code).toBe(0);
  return output.trim();
}

test(
  `${AT_ONCE} at once lose no change to each other, and one gets the name that all want`,
  { timeout: MINUTES_MILLIS },
  async () => {
    await new VmBook(home).claim('web', first);
    const said = await Promise.all(Array.from({ length: AT_ONCE }, () => printed('once', '4')));
    expect(await counted()).toBe(AT_ONCE * 4);
    expect(said.toSorted()).toEqual([...Array(AT_ONCE - 1).fill('false'), 'true']);
  },
);

test('a kill leaves an entry that is whole, and no lock', { timeout: MINUTES_MILLIS }, async () => {
  const book = new VmBook(home);
  await book.claim('web', first);
  let before = 0;
  for (let kill = 0; kill < KILLS; kill += 1) {
    const child = start('forever');
    await once(child.stdout, 'data');
    await sleep(kill * 3);
    child.kill('SIGKILL');
    await once(child, 'close');
    const after = (await counted()) || 0;
    expect(after).toBeGreaterThanOrEqual(before);
    before = after;
    await book.update('web', vmOf().id, (now) => ({ ...now, sshKey: `/k${kill}` }));
    expect(await book.get('web')).toMatchObject({ sshKey: `/k${kill}` });
  }
  expect(before).toBeGreaterThan(0);
});
