import { expect, test } from 'vitest';
import { compileNoSchemas } from './schemas.ts';

test('zod hears of it when it is told before it is loaded', async () => {
  compileNoSchemas();
  const { core } = await import('zod');
  expect(core.globalConfig.jitless).toBe(true);
});
