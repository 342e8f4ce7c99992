/** `GET /v1/requestors/{id}/providers`: where the signer may have VMs, for the signer alone. */
import { myProvidersQuerySchema, paths } from '@vm-on-golem/shared/api';
import { GolemError } from '@vm-on-golem/shared/errors';
import { Hono } from 'hono';
import { listRentals } from '../db/rentals.ts';
import type { SignedEnv } from '../middleware/context.ts';
import { limitedBySigner } from '../middleware/limited.ts';
import { readQuery } from '../middleware/query.ts';
import { signed } from '../middleware/signed.ts';

export const requestors = new Hono<SignedEnv>().get(
  paths.myProviders(':requestor'),
  signed('requestor'),
  limitedBySigner('command'),
  async (c) => {
    const { signer } = c.var.signed;
    if (c.req.param('requestor') !== signer) {
      throw new GolemError('forbidden', 'Where somebody has VMs is told to nobody else.', {
        hint: `This request is signed by ${signer}.`,
      });
    }
    return c.json(
      await listRentals(c.env.DB, signer, readQuery(myProvidersQuerySchema, c.req.url)),
    );
  },
);
