/**
 * The VMs of whoever signs. `:vm` is an id, or a name among the signer's own: a name may come to
 * mean another VM, so programs address what they change by its id.
 */
import { createVmSchema, vmsQuerySchema } from '@vm-on-golem/shared/api';
import { Hono, type Context } from 'hono';
import type { Vms } from '../vms/vms.ts';
import type { ApiEnv } from './environment.ts';
import { checkBare, commandOf, readBody, readQuery, readVmRef } from './input.ts';

export function vmRoutes({ commands, queries }: Pick<Vms, 'commands' | 'queries'>) {
  const change = (verb: 'start' | 'stop' | 'destroy') => (c: Context<ApiEnv, '/:vm'>) => {
    checkBare(c.env.wire);
    const { status, body } = commands[verb](
      commandOf(c.env, c.var.admitted),
      readVmRef(c.req.param('vm')),
    );
    return new Response(body, { status });
  };
  return new Hono<ApiEnv>()
    .post('/', async (c) => {
      const { wire } = c.env;
      checkBare({ url: wire.url, body: '' });
      const request = readBody(createVmSchema, wire.body);
      const { status, body } = await commands.create(commandOf(c.env, c.var.admitted), request);
      return new Response(body, { status });
    })
    .get('/', (c) => {
      const query = readQuery(vmsQuerySchema, c.env.wire.url);
      return c.json(queries.list(c.var.admitted.requestor, query));
    })
    .get('/:vm', (c) => {
      checkBare(c.env.wire);
      return c.json(queries.get(c.var.admitted.requestor, readVmRef(c.req.param('vm'))));
    })
    .delete('/:vm', change('destroy'))
    .post('/:vm/start', change('start'))
    .post('/:vm/stop', change('stop'));
}
