/**
 * A driver whose guest is this machine: a real sshd with the host key and the authorised keys of the
 * seed. What is measured then is the way there, not a hypervisor. For benchmarks alone: it isolates
 * nothing.
 */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { writeFile, mkdir } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import type { Driver } from '../../agent/src/drivers/driver.ts';
import { createMemoryDriver } from '../../agent/src/drivers/memory/driver.ts';
import { readSeed } from '../../agent/src/drivers/memory/seed.ts';
import { startSshd } from './sshd.ts';

/** @param port of the guest's sshd; one guest at a time */
export async function createHostDriver(stateDir: string, port: number): Promise<Driver> {
  const memory = await createMemoryDriver({ stateDir });
  let sshd: ChildProcess | undefined;
  return {
    name: memory.name,
    capabilities: memory.capabilities,
    facts: () => memory.facts(),
    launch: async (spec, context) => {
      await memory.launch(spec, context);
      const seed = readSeed(spec.seed);
      const dir = join(stateDir, 'sshd');
      await mkdir(dir, { recursive: true, mode: 0o700 });
      await writeFile(join(dir, 'host'), seed.hostPrivateKey, { mode: 0o600 });
      const keys = seed.authorizedKeys.map(
        (key) => `${key.type} ${key.getPublicSSH().toString('base64')}\n`,
      );
      await writeFile(join(dir, 'authorized'), keys.join(''), { mode: 0o600 });
      sshd = await startSshd({ dir, port });
    },
    start: (vmId, context) => memory.start(vmId, context),
    stop: (vmId, options) => memory.stop(vmId, options),
    destroy: (vmId) => memory.destroy(vmId),
    inspect: (vmId) => memory.inspect(vmId),
    list: () => memory.list(),
    dial: async (_vmId, signal) => {
      const socket = connect({ port, host: '127.0.0.1', noDelay: true, allowHalfOpen: true });
      await once(socket, 'connect', { signal });
      return socket;
    },
    console: (vmId, maxBytes) => memory.console(vmId, maxBytes),
    [Symbol.asyncDispose]: async () => {
      sshd?.kill();
      await memory[Symbol.asyncDispose]();
    },
  };
}
