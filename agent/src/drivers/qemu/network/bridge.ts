/**
 * The same rules for guests that another program has put on a bridge of its own, as Multipass does:
 * its guests reach this machine and its neighbours otherwise, and each other.
 */
import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import * as z from 'zod';
import { closedNetworks, network } from './addresses.ts';
import { attempt } from './commands.ts';
import { readHostNetwork } from './host.ts';
import { renderBridgeTable } from './nft/bridge-table.ts';
import { loadRules, tableNames } from './nft/kernel.ts';
import { removeTable } from './nft/table.ts';

const addressesSchema = z.array(
  z.object({
    addr_info: z
      .array(z.object({ family: z.string(), local: z.string(), prefixlen: z.number() }))
      .default([]),
  }),
);

export interface BridgeOptions {
  /** `mpqemubr0` is Multipass's. */
  readonly bridge: string;
  readonly resolvers: readonly string[];
  /** Further addresses that are closed to guests: the provider's public ones. */
  readonly closed: readonly string[];
}

/**
 * Closes what is the provider's, now: to be called again as networks and guests change. As root.
 * @returns whether there is such a bridge
 */
export async function isolateBridge(options: BridgeOptions): Promise<boolean> {
  const { bridge, resolvers, closed } = options;
  const shown = await attempt(['ip', '-json', '-4', 'address', 'show', 'dev', bridge]);
  if (shown.status !== 0) return false;
  const [device] = addressesSchema.parse(JSON.parse(shown.stdout));
  const address = device?.addr_info.find(({ family }) => family === 'inet');
  if (!address) return false;
  const rules = renderBridgeTable({
    ...{ table: tableOf(bridge), bridge, resolvers, counts: new Map() },
    closed: closedNetworks(await readHostNetwork(), closed).map(network),
    address: address.local,
    network: network(`${address.local}/${address.prefixlen}`),
  });
  await loadRules(rules);
  // What passes from port to port of a bridge meets no rule of a router.
  await isolatePorts(bridge, 'on');
  return true;
}

/** Takes the rules back, where `isolateBridge` has loaded any. As root. */
export async function releaseBridge(bridge: string): Promise<void> {
  // Rules for a bridge that is not there match nothing, and whoever has none may have no nftables.
  if (!existsSync(`/sys/class/net/${bridge}`)) return;
  if (!(await tableNames()).has(tableOf(bridge))) return;
  await isolatePorts(bridge, 'off');
  await loadRules(removeTable(tableOf(bridge)));
}

function tableOf(bridge: string): string {
  return `golem_${bridge}`;
}

async function isolatePorts(bridge: string, isolated: 'on' | 'off'): Promise<void> {
  for (const port of await readdir(`/sys/class/net/${bridge}/brif`)) {
    await attempt(['bridge', 'link', 'set', 'dev', port, 'isolated', isolated]);
  }
}
