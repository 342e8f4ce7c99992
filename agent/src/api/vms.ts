/**
 * The VMs of whoever signs. `:vm` is an id, or a name among the signer's own: a name may come to
 * mean another VM, so programs address what they change by its id.
 */
import { createVmSchema, vmEventsQuerySchema, vmsQuerySchema } from '@vm-on-golem/shared/api';
import {
  consoleQuerySchema,
  renewVmSchema,
  resizeVmSchema,
  stopVmSchema,
} from '@vm-on-golem/shared/vm-commands';
import { Hono, type Context } from 'hono';
import type { Vms } from '../vms/vms.ts';
import { answered, bodyOf } from './answers.ts';
import type { ApiEnv } from './environment.ts';
import { checkBare, commandOf, readBody, readQuery, readVmRef } from './input.ts';
import { grantRoutes } from './grants.ts';
import { snapshotRoutes } from './snapshots.ts';

type VmsPart = Pick<Vms, 'creations' | 'commands' | 'renewals' | 'queries' | 'sharing'>;
type Change = 'start' | 'suspend' | 'destroy';

export function vmRoutes(vms: VmsPart) {
  const { creations, commands, renewals, queries } = vms;
  const change = (verb: Change) => (c: Context<ApiEnv, '/:vm'>) => {
    checkBare(c.env.wire);
    return answered(commands[verb](commandOf(c.env, c.var.admitted), readVmRef(c.req.param('vm'))));
  };
  const stopping = (verb: 'stop' | 'restart') => (c: Context<ApiEnv, '/:vm'>) => {
    const body = bodyOf(c);
    // Requests from before there was anything to say have no body.
    const request = body === '' ? {} : readBody(stopVmSchema, body);
    const ref = readVmRef(c.req.param('vm'));
    return answered(commands[verb](commandOf(c.env, c.var.admitted), ref, request));
  };
  return new Hono<ApiEnv>()
    .post('/', async (c) => {
      const request = readBody(createVmSchema, bodyOf(c));
      return answered(await creations.create(commandOf(c.env, c.var.admitted), request));
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
    .post('/:vm/stop', stopping('stop'))
    .post('/:vm/restart', stopping('restart'))
    .post('/:vm/suspend', change('suspend'))
    .post('/:vm/resize', async (c) => {
      const request = readBody(resizeVmSchema, bodyOf(c));
      const ref = readVmRef(c.req.param('vm'));
      return answered(await commands.resize(commandOf(c.env, c.var.admitted), ref, request));
    })
    .post('/:vm/renew', (c) => {
      const request = readBody(renewVmSchema, bodyOf(c));
      const ref = readVmRef(c.req.param('vm'));
      return answered(renewals.renew(commandOf(c.env, c.var.admitted), ref, request));
    })
    .get('/:vm/events', async (c) => {
      const query = readQuery(vmEventsQuerySchema, c.env.wire.url);
      const ref = readVmRef(c.req.param('vm'));
      return c.json(await queries.events(c.var.admitted.requestor, ref, query, c.env.signal));
    })
    .get('/:vm/console', async (c) => {
      const query = readQuery(consoleQuerySchema, c.env.wire.url);
      const ref = readVmRef(c.req.param('vm'));
      const { requestor } = c.var.admitted;
      return c.json(await queries.console(requestor, ref, query, c.env.signal));
    })
    .get('/:vm/stats', async (c) => {
      checkBare(c.env.wire);
      return c.json(await queries.stats(c.var.admitted.requestor, readVmRef(c.req.param('vm'))));
    })
    .route('/:vm/grants', grantRoutes(vms))
    .route('/:vm/snapshots', snapshotRoutes(vms));
}
