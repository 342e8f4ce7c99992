/** Progress of operations, read in long-poll pages. */
import { operationQuerySchema } from '@vm-on-golem/shared/api';
import { Hono } from 'hono';
import type { VmQueries } from '../vms/queries.ts';
import type { ApiEnv } from './environment.ts';
import { readQuery } from './input.ts';

export function operationRoutes(vms: VmQueries) {
  return new Hono<ApiEnv>().get('/:operation', async (c) => {
    const query = readQuery(operationQuerySchema, c.env.wire.url);
    const { requestor } = c.var.admitted;
    return c.json(await vms.operation(requestor, c.req.param('operation'), query, c.env.signal));
  });
}
