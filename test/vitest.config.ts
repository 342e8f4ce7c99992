import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    name: 'network',
    include: ['**/*.test.ts'],
    // Real guests are emulated where there is no hardware for them; two at a time is enough.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    fileParallelism: false,
  },
});
