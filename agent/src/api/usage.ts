/** What the VMs of whoever signs have cost. */
import { usageQuerySchema } from '@vm-on-golem/shared/vm-records';
import { Hono } from 'hono';
import type { Vms } from '../vms/vms.ts';
import type { ApiEnv } from './environment.ts';
import { readQuery } from './input.ts';

export function usageRoutes({ ledger }: Pick<Vms, 'ledger'>) {
  return new Hono<ApiEnv>().get('/', (c) => {
    const query = readQuery(usageQuerySchema, c.env.wire.url);
    return c.json(ledger.usage(c.var.admitted.requestor, query));
  });
}
