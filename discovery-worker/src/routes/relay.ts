/** `GET /v1/relay/{session}`: a party of a session opens its leg, the first time or again. */
import { paths } from '@vm-on-golem/shared/api';
import { GolemError } from '@vm-on-golem/shared/errors';
import { signerId } from '@vm-on-golem/shared/signing';
import { Hono } from 'hono';
import type { SignedEnv } from '../middleware/context.ts';
import { limitedBySigner } from '../middleware/limited.ts';
import { epochOf, signed, upgrade } from '../middleware/signed.ts';
import { isParted } from '../objects/relay/coupled.ts';
import { RELAY_PATHS, type Joining, type RelayPort } from '../objects/relay/port.ts';
import { stampedUpgrade } from '../objects/upgrade.ts';

/** Once for the legs of before, and for others that come at the same time. */
const TRIES = 3;
const BESIDE = 'The legs of this session are being parted by others that come.';

export const relay = new Hono<SignedEnv>().get(
  paths.relay(':session'),
  upgrade,
  signed('provider'),
  limitedBySigner('connect'),
  async (c) => {
    const { proof } = c.var.signed;
    const joining: Joining = {
      keyId: proof.keyId,
      provider: await signerId('provider', proof),
      epoch: epochOf(proof),
      requestId: c.var.requestId,
    };
    const id = sessionId(c.env.RELAY, c.req.param('session'));
    for (let tries = 1; ; tries += 1) {
      try {
        return await c.env.RELAY.get(id).fetch(stampedUpgrade(RELAY_PATHS.join, joining));
      } catch (error) {
        // To part the old legs the object has gone with them; it is made anew for this one.
        if (!isParted(error)) throw error;
        if (tries >= TRIES) throw new GolemError('link_lost', BESIDE, { cause: error });
      }
    }
  },
);

/** A made-up id is refused here: only the platform can make one, so no object wakes for it. */
function sessionId(
  relays: DurableObjectNamespace<RelayPort>,
  text: string | undefined,
): DurableObjectId {
  try {
    return relays.idFromString(text ?? '');
  } catch (cause) {
    throw new GolemError('session_not_found', undefined, { cause });
  }
}
