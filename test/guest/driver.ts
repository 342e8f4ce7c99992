/**
 * A driver whose guest's SSH port is a TCP port of this machine: what is looked at then is the way
 * there, not a hypervisor. For tests and benchmarks alone: it isolates nothing.
 */
import { once } from 'node:events';
import { connect } from 'node:net';
import type { Driver } from '../../agent/src/drivers/driver.ts';
import { createMemoryDriver } from '../../agent/src/drivers/memory/driver.ts';
import { readSeed, type SeededGuest } from '../../agent/src/drivers/memory/seed.ts';

export interface PortDriverOptions {
  readonly stateDir: string;
  readonly port: number;
  /** Starts what listens there, once it is known which keys it is to have. */
  readonly boot?: (guest: SeededGuest) => Promise<Disposable>;
}

export async function createPortDriver({
  stateDir,
  port,
  boot,
}: PortDriverOptions): Promise<Driver> {
  const memory = await createMemoryDriver({ stateDir });
  const resources = new AsyncDisposableStack();
  resources.use(memory);
  return {
    name: memory.name,
    capabilities: memory.capabilities,
    facts: () => memory.facts(),
    launch: async (spec, context) => {
      await memory.launch(spec, context);
      if (boot) resources.use(await boot(readSeed(spec.seed)));
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
    suspend: (vmId, signal) => memory.suspend(vmId, signal),
    snapshot: (vmId, name, signal) => memory.snapshot(vmId, name, signal),
    restore: (vmId, name, signal) => memory.restore(vmId, name, signal),
    deleteSnapshot: (vmId, name, signal) => memory.deleteSnapshot(vmId, name, signal),
    snapshots: (vmId) => memory.snapshots(vmId),
    resize: (vmId, size, signal) => memory.resize(vmId, size, signal),
    usage: (vmId) => memory.usage(vmId),
    console: (vmId, maxBytes, after) => memory.console(vmId, maxBytes, after),
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}
