import { expect, test } from 'vitest';
import { parseForeignDrops } from './firewalls.ts';

test('chains of others that drop what is forwarded are named', () => {
  const chain = (family: string, table: string, name: string, hook?: string, policy?: string) => ({
    chain: {
      family,
      table,
      name,
      handle: 1,
      ...(hook && { type: 'filter', hook, prio: 0, policy }),
    },
  });
  const json = JSON.stringify({
    nftables: [
      { metainfo: { version: '1.0.6' } },
      chain('ip', 'filter', 'INPUT', 'input', 'drop'),
      chain('ip', 'filter', 'FORWARD', 'forward', 'drop'),
      chain('ip', 'filter', 'DOCKER-USER'),
      chain('ip6', 'filter', 'FORWARD', 'forward', 'drop'),
      chain('inet', 'firewalld', 'filter_FORWARD', 'forward', 'accept'),
      chain('inet', 'golem_ab12', 'forward', 'forward', 'drop'),
    ],
  });
  expect(parseForeignDrops(json)).toEqual([{ chain: 'ip filter FORWARD' }]);
});
