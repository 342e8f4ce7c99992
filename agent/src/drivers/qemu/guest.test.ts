/** Disks of guests, as QEMU's own tools see them. */
import { execFile } from 'node:child_process';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { newVmId } from '@vm-on-golem/shared/ids';
import { expect, test } from 'vitest';
import type { GuestSpec } from '../driver.ts';
import { resizeGuest } from './disk.ts';
import { createGuestFolder, guestFolder } from './folder.ts';
import { writeGuest } from './guest.ts';

const run = promisify(execFile);

test.each([
  [true, 2 ** 30],
  [false, 0],
])(
  'a disk with its room reserved (%s) holds it from the beginning, and the image in it',
  async (reserve, least) => {
    const dir = await mkdtemp(join(tmpdir(), 'g-'));
    try {
      const base = join(dir, 'base.qcow2');
      await run('qemu-img', ['create', '-q', '-f', 'qcow2', base, '16M']);
      await run('qemu-io', ['-c', 'write -P 0x5a 0 1M', base]);
      const folder = guestFolder(dir, newVmId());
      await createGuestFolder(folder);
      const spec: GuestSpec = {
        ...{
          vmId: folder.vmId,
          cpus: 1,
          memoryMiB: 64,
          storageGiB: 1,
          hostKey: 'ssh-ed25519 AAAA',
        },
        image: { id: 'i', arch: 'x86_64', user: 'me', disk: base, minMemoryMiB: 64 },
        seed: { userData: '', metaData: '' },
      };
      await writeGuest(folder, spec, Buffer.alloc(16), reserve);
      const held = (await stat(folder.disk)).blocks * 512;
      expect(held).toBeGreaterThanOrEqual(least);
      if (!reserve) expect(held).toBeLessThan(2 ** 24);
      const { stdout } = await run('qemu-io', ['-c', 'read -P 0x5a 0 1M', folder.disk]);
      expect(stdout).toContain('1 MiB, 1 ops');
      expect(stdout).not.toContain('failed');
      // What is added to it is reserved as well, or as little as the rest.
      await resizeGuest(folder, { ...spec, storageGiB: 2 });
      const then = (await stat(folder.disk)).blocks * 512;
      expect(then).toBeGreaterThanOrEqual(2 * least);
      if (!reserve) expect(then).toBeLessThan(2 ** 24);
    } finally {
      await rm(dir, { recursive: true });
    }
  },
);
