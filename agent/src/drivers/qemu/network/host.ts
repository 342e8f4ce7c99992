/** What this machine is connected to, as iproute2 says. */
import * as z from 'zod';
import { command } from './commands.ts';
import { parseNetwork, type HostNetwork, type HostRoute } from './addresses.ts';

const addressesSchema = z.array(
  z.object({ addr_info: z.array(z.object({ local: z.string().optional() })).default([]) }),
);
const routesSchema = z.array(
  z.object({
    type: z.string().default('unicast'),
    dst: z.string(),
    dev: z.string().default(''),
    gateway: z.string().optional(),
    protocol: z.string().optional(),
    table: z.string().optional(),
    scope: z.string().optional(),
    nexthops: z
      .array(z.object({ gateway: z.string().optional(), dev: z.string().default('') }))
      .default([]),
  }),
);

/** @param except what the devices of guests start with: they are no part of the answer */
export async function readHostNetwork(except?: string): Promise<HostNetwork> {
  const [addresses, routes] = await Promise.all([
    command(['ip', '-json', '-4', 'address', 'show']),
    command(['ip', '-json', '-4', 'route', 'show', 'table', 'all']),
  ]);
  return parseHostNetwork(addresses, routes, except);
}

/** @throws when iproute2 says something else than it did for the last ten years */
export function parseHostNetwork(
  addressesJson: string,
  routesJson: string,
  except?: string,
): HostNetwork {
  const routes = routesSchema.parse(JSON.parse(routesJson || '[]')).flatMap(toRoutes);
  return {
    addresses: addressesSchema
      .parse(JSON.parse(addressesJson || '[]'))
      .flatMap(({ addr_info }) => addr_info.flatMap(({ local }) => local ?? [])),
    routes: routes.filter(({ device }) => except === undefined || !device.startsWith(except)),
  };
}

/** One for each way that a route may take. */
function toRoutes(route: z.output<typeof routesSchema>[number]): HostRoute[] {
  const destination = parseNetwork(route.dst === 'default' ? '0.0.0.0/0' : route.dst);
  if (!destination || route.type !== 'unicast') return [];
  const connected = route.protocol === 'kernel' && route.scope === 'link';
  const table = route.table === 'main' ? undefined : route.table;
  const ways = [{ gateway: route.gateway, dev: route.dev }, ...route.nexthops];
  return ways
    .filter(({ dev }) => dev !== '')
    .map(({ gateway, dev }) => ({ destination, device: dev, gateway, connected, table }));
}
