/** Who speaks a version that this service does not is told so, before anything else is wrong. */
import { checkProtocol, PROTOCOL_HEADER } from '@vm-on-golem/shared/compat';
import { createMiddleware } from 'hono/factory';

export const compatible = createMiddleware(async (c, next) => {
  checkProtocol(c.req.header(PROTOCOL_HEADER), {
    them: 'the program that asked',
    us: 'the discovery service',
  });
  await next();
});
