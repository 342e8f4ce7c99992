/** How this program is started, told from the folder that its first file is in: `src`, or `dist` once built. */
import { isSea } from 'node:sea';
import { fileURLToPath } from 'node:url';

/** Words that start this very program again. A single-file executable is one word. */
export const SELF: readonly string[] = isSea()
  ? [process.execPath]
  : [process.execPath, fileURLToPath(new URL('../bin/golem.js', import.meta.url))];
