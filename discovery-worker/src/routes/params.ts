/** Shapes of what paths name: looked at before any signature. */
import { GolemError } from '@vm-on-golem/shared/errors';
import { providerIdSchema, vmIdSchema } from '@vm-on-golem/shared/ids';
import { vmNameSchema } from '@vm-on-golem/shared/vm';
import { createMiddleware } from 'hono/factory';

/** Behind `providerParam`. */
export interface ProviderEnv {
  Variables: { provider: string };
}

/** Refuses what cannot be the id of a provider. */
export const providerParam = createMiddleware<ProviderEnv>(async (c, next) => {
  const parsed = providerIdSchema.safeParse(c.req.param('provider'));
  if (!parsed.success) {
    throw new GolemError('invalid_request', "The provider's id is not valid.", {
      hint: 'It is gp_ and 26 lower-case letters and digits.',
    });
  }
  c.set('provider', parsed.data);
  await next();
});

/** Refuses what can be neither the id nor the name of a VM. */
export const vmParam = createMiddleware(async (c, next) => {
  const vm = c.req.param('vm');
  if (!vmIdSchema.safeParse(vm).success && !vmNameSchema.safeParse(vm).success) {
    throw new GolemError('invalid_request', 'The name or id of the VM is not valid.');
  }
  await next();
});
