/** What is looked at for a while: use, events, the console. */
import { GolemError } from '@vm-on-golem/shared/errors';
import type { VmEvent } from '@vm-on-golem/shared/vm-records';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { console as consoleCommand } from '../../src/commands/vm/console.ts';
import { events } from '../../src/commands/vm/events.ts';
import { stats } from '../../src/commands/vm/stats.ts';
import type { Command } from '../../src/commands/command.ts';
import { statsTable } from '../../src/presenters/stats.ts';
import { parseArgv } from '../../src/program/argv.ts';
import { contextOf, type TestContext } from '../context.ts';
import { serve, server, TestProvider, vmOf } from '../network.ts';

let provider: TestProvider;
let here: TestContext;

beforeAll(() => server.listen({ onUnhandledFrame: 'error' }));
afterAll(() => server.close());
beforeEach(async () => {
  provider = await TestProvider.create('attic');
  serve(provider);
  here = await contextOf();
  await here.context.book.put({ name: 'web', provider: provider.id, vm: vmOf() });
});
afterEach(async () => {
  server.resetHandlers();
  await here[Symbol.asyncDispose]();
});

const query = () => new URL(provider.asked.at(-1)?.url ?? '').searchParams;

/** The first values that a command gives while it goes on. */
async function first<Data>(count: number, command: Command<Data>, ...words: string[]) {
  const values: Data[] = [];
  const following = command.follow?.(here.context, parseArgv(command, words));
  if (!following) throw new Error('it does not follow');
  for await (const value of following) if (values.push(value) === count) break;
  return values;
}

describe('stats', () => {
  const at = (second: number) => `2026-01-01T00:00:0${second}.000Z`;
  const counted = (second: number, cpuSeconds: number) => ({
    ...{ at: at(second), cpuSeconds, memoryBytes: 512 * 1024 * 1024, diskBytes: null },
    ...{ receivedBytes: second * 2048, sentBytes: 0 },
  });

  test('are what grew between two looks', async () => {
    const looks = [counted(0, 10), counted(2, 11)];
    provider.answer = () => ({ status: 200, body: looks.shift() });
    const said = await here.run(stats, 'web');
    expect(said).toMatchObject({
      ...{ name: 'web', cpuPercent: 50, receivedBytesPerSecond: 2048, sentBytesPerSecond: 0 },
    });
    expect(statsTable(said).table?.rows[0]).toEqual([
      ...['web', '50.0% of 100%', '512.0 MiB of 1.0 GiB', '-'],
      ...['4.0 KiB (2.0 KiB/s)', '0 B (0 B/s)', '11.0s'],
    ]);
  });

  test('say no speed of a guest that was started in between', async () => {
    const looks = [counted(0, 10), counted(2, 1), counted(4, 2)];
    provider.answer = () => ({ status: 200, body: looks.shift() });
    const said = await first(3, stats, 'web', '--watch');
    expect(said.map(({ cpuPercent }) => cpuPercent)).toEqual([null, null, 50]);
  });

  test('are asked for as seldom as was said', async () => {
    provider.answer = () => ({ status: 200, body: counted(1, 1) });
    await first(2, stats, 'web', '--watch', '--interval', '7s');
    expect(here.waits).toEqual([7_000]);
  });
});

describe('events', () => {
  const eventOf = (n: number, kind = 'up'): VmEvent => ({
    ...{ n, kind, at: new Date(n * 60_000).toISOString(), by: 'guest' },
  });
  const all = [eventOf(1), eventOf(2), eventOf(3)];
  const later = [...all, eventOf(4), eventOf(5, 'destroy.done')];

  test('are those since a time, or the last ones', async () => {
    provider.answer = () => ({ status: 200, body: { events: all } });
    const numbers = async (...words: string[]) =>
      [await here.run(events, 'web', ...words)].flat().map(({ n }) => n);
    expect(await numbers('--since', '1970-01-01T00:02Z')).toEqual([2, 3]);
    expect(await numbers('-n', '1')).toEqual([3]);
    expect(await numbers('--since', '2m')).toEqual([1, 2, 3]);
    await expect(numbers('--since', 'yesterday')).rejects.toMatchObject({ code: 'usage' });
    await expect(numbers('-n', '0')).rejects.toMatchObject({ code: 'usage' });
  });

  test('go on, after those that were, until there can be no more', async () => {
    provider.answer = () => {
      const after = Number(query().get('after'));
      const known = query().get('wait') === null ? all : later;
      return { status: 200, body: { events: known.filter(({ n }) => n > after) } };
    };
    const seen = await first(99, events, 'web', '-f', '--last', '1');
    expect(seen.flat().map(({ n }) => n)).toEqual([3, 4, 5]);
  });
});

describe('the console', () => {
  test('is shown without what would paint or ring', async () => {
    const text = '\u001b[32mok\u001b[0m\r\nlogin: \u0007';
    provider.answer = () => ({ status: 200, body: { text } });
    const said = await here.run(consoleCommand, 'web', '--bytes', '100');
    expect(said).toEqual({ text });
    expect(consoleCommand.present?.(said).lines?.[0]).toBe('ok');
    expect(query().get('bytes')).toBe('100');
  });

  test('is followed line by line, from where the last answer ended', async () => {
    const pages = [
      { text: 'boot\nlog', from: 0, to: 8, epoch: 1 },
      { text: '', from: 8, to: 8, epoch: 1 },
      { text: 'in: \n', from: 8, to: 13, epoch: 2 },
    ];
    provider.answer = () => ({ status: 200, body: pages.shift() });
    const said = await first(2, consoleCommand, 'web', '-f');
    expect(said).toEqual([{ text: 'boot\n' }, { text: 'login: \n' }]);
    expect(provider.asked.map(({ url }) => new URL(url).search)).toEqual([
      ...['', '?after=8&wait=25&epoch=1', '?after=8&wait=25&epoch=1'],
    ]);
  });

  test('of a provider that is older cannot be followed, and it says so', async () => {
    provider.answer = () => ({ status: 200, body: { text: 'boot' } });
    const followed = first(1, consoleCommand, 'web', '-f');
    await expect(followed).rejects.toMatchObject({ code: 'incompatible' });
    await expect(followed).rejects.toBeInstanceOf(GolemError);
  });
});
