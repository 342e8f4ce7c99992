/** Whom a VM is shared with, for its owner to see and to change. */
import { GolemError } from '@vm-on-golem/shared/errors';
import { requestorIdSchema } from '@vm-on-golem/shared/ids';
import { createGrantSchema } from '@vm-on-golem/shared/vm-commands';
import { Hono } from 'hono';
import type { Vms } from '../vms/vms.ts';
import { answered, bodyOf } from './answers.ts';
import type { ApiEnv } from './environment.ts';
import { checkBare, commandOf, readBody, readVmRef } from './input.ts';

/** Below `/:vm/grants`. */
export function grantRoutes({ sharing }: Pick<Vms, 'sharing'>) {
  return new Hono<ApiEnv>()
    .get('/', (c) => {
      checkBare(c.env.wire);
      return c.json(sharing.grants(c.var.admitted.requestor, readVmRef(c.req.param('vm'))));
    })
    .post('/', (c) => {
      const grant = readBody(createGrantSchema, bodyOf(c));
      const command = commandOf(c.env, c.var.admitted);
      return answered(sharing.grant(command, readVmRef(c.req.param('vm')), grant));
    })
    .delete('/:requestor', (c) => {
      checkBare(c.env.wire);
      const requestor = requestorIdSchema.safeParse(c.req.param('requestor'));
      if (!requestor.success) {
        throw new GolemError('invalid_request', "The requestor's id is not valid.", {
          hint: 'It is gr_ and 26 lower-case letters and digits.',
        });
      }
      const command = commandOf(c.env, c.var.admitted);
      const ref = readVmRef(c.req.param('vm'));
      return answered(sharing.revoke(command, ref, requestor.data));
    });
}
