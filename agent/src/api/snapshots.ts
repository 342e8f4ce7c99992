/** Snapshots of a VM's disk. */
import { snapshotNameSchema } from '@vm-on-golem/shared/vm';
import { createSnapshotSchema } from '@vm-on-golem/shared/vm-commands';
import { GolemError } from '@vm-on-golem/shared/errors';
import { Hono } from 'hono';
import type { Vms } from '../vms/vms.ts';
import { answered, bodyOf } from './answers.ts';
import type { ApiEnv } from './environment.ts';
import { checkBare, commandOf, readBody, readVmRef } from './input.ts';

export function snapshotRoutes({ commands, queries }: Pick<Vms, 'commands' | 'queries'>) {
  return new Hono<ApiEnv>()
    .get('/', async (c) => {
      checkBare(c.env.wire);
      return c.json(await queries.snapshots(c.var.admitted.requestor, refOf(c.req.param('vm'))));
    })
    .post('/', async (c) => {
      const { name } = readBody(createSnapshotSchema, bodyOf(c));
      const command = commandOf(c.env, c.var.admitted);
      return answered(await commands.snapshot(command, refOf(c.req.param('vm')), name));
    })
    .post('/:name/restore', async (c) => {
      checkBare(c.env.wire);
      const command = commandOf(c.env, c.var.admitted);
      const name = nameOf(c.req.param('name'));
      return answered(await commands.restore(command, refOf(c.req.param('vm')), name));
    })
    .delete('/:name', async (c) => {
      checkBare(c.env.wire);
      const command = commandOf(c.env, c.var.admitted);
      const name = nameOf(c.req.param('name'));
      return answered(await commands.deleteSnapshot(command, refOf(c.req.param('vm')), name));
    });
}

const refOf = readVmRef;

function nameOf(text: string): string {
  const parsed = snapshotNameSchema.safeParse(text);
  if (!parsed.success)
    throw new GolemError('invalid_request', 'The name of the snapshot is not valid.');
  return parsed.data;
}
