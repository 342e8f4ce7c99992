/** Remembers, once a provider has answered that it is so, where a requestor has VMs. */
import { openSuccession, successionSchema } from '@vm-on-golem/shared/succession';
import { createGrantSchema } from '@vm-on-golem/shared/vm-commands';
import { createMiddleware } from 'hono/factory';
import type * as z from 'zod';
import { moveRental, saveRental } from '../db/rentals.ts';
import type { ProviderEnv } from '../routes/params.ts';
import type { SignedEnv } from './context.ts';

type Context = SignedEnv & ProviderEnv;

/** The signer has a VM there. */
export const rememberSigner = after(async ({ db, provider, signer }) =>
  saveRental(db, { requestor: signer, provider, source: 'own', seenAt: Date.now() }),
);

/** Whom the signer has let into a VM there. */
export const rememberGrantee = after(async ({ db, provider, body }) => {
  const grant = read(createGrantSchema, body);
  if (!grant) return;
  const { requestor } = grant;
  await saveRental(db, { requestor, provider, source: 'granted', seenAt: Date.now() });
});

/** Who has followed the signer there: they agreed to it, whatever the provider says. */
export const rememberSuccessor = after(async ({ db, provider, signer, body }) => {
  const succession = read(successionSchema, body);
  if (!succession) return;
  const now = Date.now();
  const requestor = await openSuccession(succession, provider, signer, now);
  await moveRental(db, signer, { requestor, provider, source: 'own', seenAt: now });
});

interface Answered {
  readonly db: D1Database;
  readonly provider: string;
  readonly signer: string;
  readonly body: string;
}

function after(remember: (answered: Answered) => Promise<void>) {
  return createMiddleware<Context>(async (c, next) => {
    await next();
    if (!c.res.ok) return;
    const { provider, requestId, signed } = c.var;
    const { signer, request } = signed;
    const written = remember({ db: c.env.DB, provider, signer, body: request.body });
    // The answer is there, and does not wait for a hint. Whoever loses it asks the providers that are listed.
    c.executionCtx.waitUntil(
      written.catch((error: unknown) => {
        console.error(requestId, 'a rental is not remembered', error);
      }),
    );
  });
}

/** The provider has taken the body, so it is as it must be, or the provider is not honest. */
function read<Schema extends z.ZodType>(schema: Schema, body: string) {
  try {
    return schema.safeParse(JSON.parse(body)).data;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
