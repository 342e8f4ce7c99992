import { expect, test } from 'vitest';
import { renderConnectionTable, renderNamespaceTable, renderTapTable } from './nft.ts';

const common = { closed: [], resolvers: ['192.0.2.1'], counts: new Map() };
const guest = { name: 'g0', device: 'golemab-0', address: '10.0.0.2', mac: '52:54:00:00:00:01' };
const tapTable = (onlyGuests: boolean) =>
  renderTapTable({
    ...{ ...common, table: 'golem_ab', devicePrefix: 'golemab-', guests: [guest], onlyGuests },
  });
/** @returns the rules of a chain */
const chain = (text: string, name: string) =>
  new RegExp(`^  chain ${name} \\{\n([^}]*)\n  \\}`, 'm').exec(text)?.[1] ?? '';

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
