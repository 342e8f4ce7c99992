/** Tests that run in Node: of what is pure, and of the self-hosted service as a process. */
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    name: 'discovery-node',
    root: import.meta.dirname,
    include: ['src/**/*.test.ts', 'selfhost/**/*.test.ts'],
    // Each test of the service starts a process of its own.
    testTimeout: 20_000,
  },
});
