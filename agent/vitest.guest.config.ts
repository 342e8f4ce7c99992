/** Tests that boot real guests: one at a time, as emulation takes all the machine has. */
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    name: 'guests',
    root: import.meta.dirname,
    include: ['test/guest/**/*.test.ts'],
    fileParallelism: false,
  },
});
