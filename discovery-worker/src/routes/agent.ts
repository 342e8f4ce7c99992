/** `GET /v1/agent`: an agent opens its control socket. */
import { paths } from '@vm-on-golem/shared/api';
import { CONTROL_FAMILY, CONTROL_PROTOCOL } from '@vm-on-golem/shared/control';
import { GolemError } from '@vm-on-golem/shared/errors';
import { Hono } from 'hono';
import { settingsOf } from '../env.ts';
import type { SignedEnv } from '../middleware/context.ts';
import { limitedBySigner } from '../middleware/limited.ts';
import { originOf } from '../middleware/origin.ts';
import { epochOf, signed, upgrade } from '../middleware/signed.ts';
import { hubOf, type Arrival } from '../objects/hub/port.ts';
import { stampedUpgrade } from '../objects/upgrade.ts';

export const agent = new Hono<SignedEnv>().get(
  paths.agent,
  upgrade,
  signed('provider'),
  limitedBySigner('connect'),
  (c) => {
    const offered = c.req.header('sec-websocket-protocol')?.split(',') ?? [];
    const protocols = offered.map((protocol) => protocol.trim());
    if (!protocols.includes(CONTROL_PROTOCOL)) {
      throw protocols.some((protocol) => protocol.startsWith(CONTROL_FAMILY))
        ? new GolemError('incompatible', `This service speaks ${CONTROL_PROTOCOL} alone.`, {
            hint: 'The older one of the discovery service and golem-provider needs an update.',
          })
        : new GolemError('invalid_request', `The subprotocol must be ${CONTROL_PROTOCOL}.`);
    }
    const { signer: provider, proof } = c.var.signed;
    const settings = settingsOf(c.env);
    const origin = originOf(c.req.raw, settings);
    const { requestId } = c.var;
    const arrival: Arrival = { provider, epoch: epochOf(proof), ...origin, requestId };
    return hubOf(c.env.HUB, settings.HUB_SHARDS, provider).fetch(
      stampedUpgrade('/connect', arrival, CONTROL_PROTOCOL),
    );
  },
);
