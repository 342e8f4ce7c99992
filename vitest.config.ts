import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    // One after the other: two cores are what everything has to fit on, and guests need them.
    projects: [
      'shared/vitest.config.ts',
      'discovery-worker/vitest.config.ts',
      'discovery-worker/vitest.coupled.config.ts',
      'discovery-worker/vitest.node.config.ts',
      'agent/vitest.config.ts',
      'agent/vitest.guest.config.ts',
      'cli/vitest.config.ts',
      'test/vitest.config.ts',
    ],
  },
});
