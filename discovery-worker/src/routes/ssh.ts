/** `GET /v1/providers/{id}/vms/{vm}/ssh`: a requestor opens a session with a VM of its own. */
import { paths } from '@vm-on-golem/shared/api';
import { GolemError } from '@vm-on-golem/shared/errors';
import { Hono } from 'hono';
import type { SignedEnv } from '../middleware/context.ts';
import { limitedBySigner } from '../middleware/limited.ts';
import { epochOf, signed, upgrade } from '../middleware/signed.ts';
import { isParted } from '../objects/relay/coupled.ts';
import { RELAY_PATHS, type Opening } from '../objects/relay/port.ts';
import { stampedUpgrade } from '../objects/upgrade.ts';
import { providerParam, vmParam, type ProviderEnv } from './params.ts';

export const ssh = new Hono<SignedEnv & ProviderEnv>().get(
  paths.ssh(':provider', ':vm'),
  upgrade,
  providerParam,
  vmParam,
  signed('requestor'),
  limitedBySigner('relay'),
  async (c) => {
    const { provider, requestId, signed } = c.var;
    const { request, proof } = signed;
    const opening: Opening = {
      provider,
      requestorKey: proof.keyId,
      epoch: epochOf(proof),
      url: request.url,
      headers: request.headers,
      requestId,
    };
    const session = c.env.RELAY.get(c.env.RELAY.newUniqueId());
    try {
      return await session.fetch(stampedUpgrade(RELAY_PATHS.open, opening));
    } catch (error) {
      // The agent came again before this was answered.
      if (isParted(error)) throw new GolemError('link_lost', undefined, { cause: error });
      throw error;
    }
  },
);
