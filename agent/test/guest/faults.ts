/** What can go wrong with a guest of QEMU, done to its folder and its control socket. */
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, rename, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { guestFolder } from '../../src/drivers/qemu/folder.ts';
import type { DriverFaults } from '../../src/drivers/conformance/bench.ts';

const run = promisify(execFile);
const asRoot = process.getuid?.() === 0;

export const qemuFaults: DriverFaults = {
  /** A kernel that is not there. */
  launch: async (spec) => ({
    ...spec,
    image: { ...spec.image, kernel: { vmlinuz: '/missing', initrd: '/missing', append: '' } },
  }),

  /** A folder that cannot be emptied: root may do that unless something is mounted there. */
  destroy: async ({ stateDir, vmId }) => {
    const folder = join(stateDir, vmId);
    if (!asRoot) {
      await chmod(folder, 0o500);
      return { [Symbol.asyncDispose]: () => chmod(folder, 0o700) };
    }
    const busy = join(folder, 'busy');
    await mkdir(busy);
    await run('mount', ['-t', 'tmpfs', 'busy', busy]);
    return { [Symbol.asyncDispose]: async () => void (await run('umount', [busy])) };
  },

  junk: async ({ stateDir, vmId }) => {
    const socket = guestFolder(stateDir, vmId).qmp;
    await rename(socket, `${socket}.real`);
    const server = createServer((client) => {
      client.on('error', () => undefined).resume();
      client.end('{"QMP": {}}\n{"return": \n[]\n');
    });
    await once(server.listen(socket), 'listening');
    return {
      [Symbol.asyncDispose]: async () => {
        await once(server.close(), 'close');
        await rm(socket, { force: true });
        await rename(`${socket}.real`, socket);
      },
    };
  },

  unreachable: async ({ stateDir, vmId }) => {
    const socket = guestFolder(stateDir, vmId).qmp;
    await rename(socket, `${socket}.real`);
    return { [Symbol.asyncDispose]: () => rename(`${socket}.real`, socket) };
  },
};
