import { defineConfig } from 'vitest/config';

export default defineConfig({
  // What is tested is the source, not what an earlier build has left.
  ssr: { resolve: { conditions: ['source', 'module', 'node', 'import'] } },
  test: {
    name: 'network',
    include: ['**/*.test.ts'],
    // Real guests are emulated where there is no hardware for them; two at a time is enough.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    fileParallelism: false,
  },
});
