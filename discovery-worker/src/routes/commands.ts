/** Requests for one provider's agent: passed on byte for byte, and its answers back. */
import { paths } from '@vm-on-golem/shared/api';
import { GolemError } from '@vm-on-golem/shared/errors';
import { Hono, type Handler } from 'hono';
import { settingsOf } from '../env.ts';
import type { SignedEnv } from '../middleware/context.ts';
import { limitedBySigner } from '../middleware/limited.ts';
import { rememberGrantee, rememberSigner, rememberSuccessor } from '../middleware/remembered.ts';
import { signed } from '../middleware/signed.ts';
import { agentResponse } from '../objects/answers.ts';
import { hubOf } from '../objects/hub/port.ts';
import { valueOf } from '../objects/outcome.ts';
import { providerParam, type ProviderEnv } from './params.ts';

const forward: Handler<SignedEnv & ProviderEnv> = async (c) => {
  const { provider, requestId, signed } = c.var;
  const hub = hubOf(c.env.HUB, settingsOf(c.env).HUB_SHARDS, provider);
  // Cloudflare tells at once that a client is gone; workerd by itself only when it answers, and
  // then the agent's time to answer is the bound.
  const { signal } = c.req.raw;
  const cancel = () => c.executionCtx.waitUntil(hub.cancel(provider, requestId));
  signal.addEventListener('abort', cancel, { once: true });
  try {
    return agentResponse(
      valueOf(await hub.request(provider, requestId, signed.request)),
      requestId,
    );
  } catch (error) {
    if (error instanceof GolemError) throw error;
    // The hub itself went away in between: nobody knows whether the agent got the request.
    throw new GolemError('link_lost', undefined, { cause: error });
  } finally {
    signal.removeEventListener('abort', cancel);
  }
};

const guards = [providerParam, signed('requestor'), limitedBySigner('command')] as const;

export const commands = new Hono<SignedEnv & ProviderEnv>()
  .post(paths.vms(':provider'), ...guards, rememberSigner, forward)
  .post(paths.vmAction(':provider', ':vm', 'renew'), ...guards, rememberSigner, forward)
  .post(paths.vmPart(':provider', ':vm', 'grants'), ...guards, rememberGrantee, forward)
  .post(paths.succession(':provider'), ...guards, rememberSuccessor, forward)
  .all(paths.vms(':provider'), ...guards, forward)
  .all(`${paths.vms(':provider')}/*`, ...guards, forward)
  .all(paths.usage(':provider'), ...guards, forward)
  .all(paths.operation(':provider', ':operation'), ...guards, forward);
