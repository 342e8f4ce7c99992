/** `GET /v1/providers` and `GET /v1/providers/{id}`: what is listed, for anybody to read. */
import { paths, providersQuerySchema } from '@vm-on-golem/shared/api';
import { GolemError } from '@vm-on-golem/shared/errors';
import { Hono } from 'hono';
import { findProvider, listProviders, specOf } from '../db/providers.ts';
import type { AppEnv } from '../middleware/context.ts';
import { limitedByAddress } from '../middleware/limited.ts';
import { readQuery } from '../middleware/query.ts';
import { providerParam, type ProviderEnv } from './params.ts';

/** The price of one provider can be asked for a spec as well. */
const specQuerySchema = providersQuerySchema.pick({
  cpus: true,
  memoryMiB: true,
  storageGiB: true,
});

export const providers = new Hono<AppEnv & ProviderEnv>()
  .get(paths.providers, limitedByAddress('list'), async (c) =>
    c.json(await listProviders(c.env.DB, readQuery(providersQuerySchema, c.req.url))),
  )
  .get(paths.provider(':provider'), providerParam, limitedByAddress('list'), async (c) => {
    const spec = specOf(readQuery(specQuerySchema, c.req.url));
    const provider = await findProvider(c.env.DB, c.var.provider, spec);
    if (!provider) throw new GolemError('provider_not_found');
    return c.json(provider);
  });
