/** The fast tests; those that boot guests lie deeper below test/. */
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    name: 'agent',
    root: import.meta.dirname,
    include: ['src/**/*.test.ts', 'test/{,multipass/}*.test.ts'],
  },
});
