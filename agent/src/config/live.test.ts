import { describe, expect, test } from 'vitest';
import { GolemError } from '@vm-on-golem/shared/errors';
import { loadConfig } from './config.ts';
import { LiveConfig } from './live.ts';
import type { Flags } from './sources.ts';

const discovery = 'https://discovery.example';
const env = { XDG_CONFIG_HOME: '/nowhere' };

function open() {
  let said: Flags = { discovery, 'price-cpu': '0.005', 'relay-grace': '60' };
  const live = new LiveConfig(() => loadConfig(said, env));
  const heard: (readonly string[])[] = [];
  const stop = live.watch((changed) => heard.push(changed));
  return { live, heard, stop, say: (flags: Flags) => (said = { discovery, ...flags }) };
}

describe('the configuration of a running agent', () => {
  test('changes where it may, and names what waits', () => {
    const { live, heard, say } = open();
    say({ 'price-cpu': '0.01', 'relay-grace': '90' });
    expect(live.reload()).toEqual({ changed: ['price-cpu'], waiting: ['relay-grace'] });
    expect(live.current).toMatchObject({ 'price-cpu': 10_000_000, 'relay-grace': 60 });
    expect(heard).toEqual([['price-cpu']]);
    expect(live.reload()).toEqual({ changed: [], waiting: ['relay-grace'] });
    expect(live.waiting).toEqual(['relay-grace']);
    expect(heard).toHaveLength(1);
    // Taken back before anybody started it again: nothing waits any more.
    say({ 'price-cpu': '0.01', 'relay-grace': '60' });
    expect(live.reload()).toEqual({ changed: [], waiting: [] });
  });

  test('is what it was when what is said is wrong', () => {
    const { live, heard, say } = open();
    const before = live.current;
    const { sources } = live;
    say({ 'price-cpu': 'cheap' });
    expect(() => live.reload()).toThrow(GolemError);
    expect(live.current).toBe(before);
    expect(live.sources).toBe(sources);
    expect(heard).toEqual([]);
  });

  test('is not changed to what somebody knows to be wrong', () => {
    const { live, heard, say } = open();
    live.guard((said) => {
      if (said['max-vms'] > 20) throw new GolemError('usage', 'too many');
    });
    say({ 'max-vms': '21' });
    expect(() => live.reload()).toThrow('too many');
    expect(live.current['max-vms']).toBe(16);
    expect(heard).toEqual([]);
    say({ 'max-vms': '20' });
    live.reload();
    expect(live.current['max-vms']).toBe(20);
  });

  test('tells nobody who no longer listens', () => {
    const { live, heard, say, stop } = open();
    stop();
    say({ 'price-cpu': '0.01' });
    live.reload();
    expect(heard).toEqual([]);
  });
});
