/** Where this program is, told from the folder that its first file is in: `src`, or `dist` once built. */
import { fileURLToPath } from 'node:url';

export const PACKAGE_FILE = fileURLToPath(new URL('../package.json', import.meta.url));

/** Words that start this very program again. */
export const SELF: readonly string[] = [
  process.execPath,
  fileURLToPath(new URL('../bin/golem.js', import.meta.url)),
];
