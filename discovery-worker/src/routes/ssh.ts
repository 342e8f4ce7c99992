/** `GET /v1/providers/{id}/vms/{vm}/ssh`: a requestor opens a session with a VM of its own. */
import { paths } from '@vm-on-golem/shared/api';
import { Hono } from 'hono';
import type { SignedEnv } from '../middleware/context.ts';
import { limitedBySigner } from '../middleware/limited.ts';
import { epochOf, signed, upgrade } from '../middleware/signed.ts';
import { RELAY_PATHS, type Opening } from '../objects/relay/port.ts';
import { stampedUpgrade } from '../objects/upgrade.ts';
import { checkVmParam, providerParam } from './params.ts';

export const ssh = new Hono<SignedEnv>().get(
  paths.ssh(':provider', ':vm'),
  upgrade,
  signed('requestor'),
  limitedBySigner('relay'),
  (c) => {
    const provider = providerParam(c.req.param('provider'));
    checkVmParam(c.req.param('vm'));
    const { request, proof } = c.var.signed;
    const opening: Opening = {
      provider,
      requestorKey: proof.keyId,
      epoch: epochOf(proof),
      url: request.url,
      headers: request.headers,
      requestId: c.var.requestId,
    };
    const session = c.env.RELAY.get(c.env.RELAY.newUniqueId());
    return session.fetch(stampedUpgrade(RELAY_PATHS.open, opening));
  },
);
