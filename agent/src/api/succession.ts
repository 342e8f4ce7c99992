/** One key of a requestor is followed by another. */
import { successionSchema } from '@vm-on-golem/shared/succession';
import { Hono } from 'hono';
import type { Vms } from '../vms/vms.ts';
import { answered, bodyOf } from './answers.ts';
import type { ApiEnv } from './environment.ts';
import { commandOf, readBody } from './input.ts';

export function successionRoutes({ succession }: Pick<Vms, 'succession'>) {
  return new Hono<ApiEnv>().post('/', async (c) => {
    const body = readBody(successionSchema, bodyOf(c));
    return answered(await succession.follow(commandOf(c.env, c.var.admitted), body));
  });
}
