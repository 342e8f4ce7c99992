/** The one image of the memory driver: it has no files, and any other image does as well. */
import type { GuestImage } from '../driver.ts';

export const memoryImage: GuestImage = {
  id: 'memory',
  arch: process.arch === 'arm64' ? 'aarch64' : 'x86_64',
  user: 'golem',
  disk: '/dev/null',
  minMemoryMiB: 64,
};
