import { expect, test } from 'vitest';
import { renderConnectionTable } from './connection-table.ts';
import { renderNamespaceTable } from './namespace-table.ts';
import { renderTapTable } from './tap-table.ts';

const common = { closed: [], resolvers: ['192.0.2.1'], counts: new Map() };
const guest = { name: 'g0', device: 'golemab-0', address: '10.0.0.2', mac: '52:54:00:00:00:01' };
const tapTable = (onlyGuests: boolean) =>
  renderTapTable({
    ...{ ...common, table: 'golem_ab', devicePrefix: 'golemab-', guests: [guest], onlyGuests },
  });
/** @returns the rules of a chain */
const chain = (text: string, name: string) =>
  new RegExp(`^  chain ${name} \\{\n(.*?)\n  \\}`, 'ms').exec(text)?.[1] ?? '';

test('a machine that forwards for guests alone is no router, and others stay one', () => {
  const last = chain(tapTable(true), 'forward').trim().split('\n').at(-1)?.trim();
  expect(last).toBe('meta nfproto ipv4 iifname != "golem*" oifname != "golem*" drop');
  expect(chain(tapTable(false), 'forward')).not.toContain('oifname != "golem*"');
});

test('connections are counted where nothing is ever replaced', () => {
  const namespace = renderNamespaceTable({ ...common, table: 'golem', name: 'guest', sshPort: 22 });
  for (const replaced of [tapTable(false), namespace]) {
    expect(replaced).toContain('delete table');
    expect(replaced).not.toContain('ct count');
  }
  const match = 'iifname "golemab-*"';
  const kept = renderConnectionTable({ table: 'golem_ab_open', hook: 'forward', match });
  expect(kept).not.toContain('delete');
  expect(kept).toContain(`${match} ct state new add @guests { ip saddr ct count over 4096 } drop`);
});

test('a cap holds for what goes through SSH as well, out of the same allowance', () => {
  const limited = { ...guest, bitsPerSecond: 8_000_000 };
  const tap = renderTapTable({
    ...{ ...common, table: 'golem_ab', devicePrefix: 'golemab-', guests: [limited] },
    onlyGuests: false,
  });
  for (const direction of ['from', 'to']) {
    const cap = `limit name "g0_${direction}" counter name g0_capped drop`;
    expect(chain(tap, `${direction}_g0`)).toContain(cap);
    expect(chain(tap, `ssh_${direction}_g0`)).toContain(cap);
  }
  const base = { ...common, table: 'golem', name: 'guest', sshPort: 2222 };
  const namespace = renderNamespaceTable({ ...base, bitsPerSecond: 8_000_000 });
  for (const [direction, port] of [
    ['from', 'sport'],
    ['to', 'dport'],
  ]) {
    const cap = `limit name "guest_${direction}" counter name guest_capped drop`;
    expect(chain(namespace, `ssh_${direction}`)).toContain(cap);
    expect(namespace).toContain(`iifname "lo" tcp ${port} 2222 jump ssh_${direction}`);
  }
  expect(renderNamespaceTable(base)).not.toContain('limit name');
});
