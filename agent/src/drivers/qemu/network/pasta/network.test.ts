import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { newVmId } from '@vm-on-golem/shared/ids';
import { expect, test } from 'vitest';
import { openPastaNetwork } from './network.ts';

/** Processes that stand where the holders of namespaces do, in none. */
async function guestsWithoutNamespaces(dir: string, count: number, stack: AsyncDisposableStack) {
  const vmIds = Array.from({ length: count }, newVmId);
  for (const [slot, vmId] of vmIds.entries()) {
    await mkdir(join(dir, vmId));
    await writeFile(join(dir, vmId, 'held'), '');
    await writeFile(join(dir, `${vmId}.json`), JSON.stringify({ slot }));
    const holder = spawn('tail', ['-f', join(dir, vmId, 'held')], { argv0: 'socat' });
    await once(holder, 'spawn');
    stack.defer(async () => {
      const gone = once(holder, 'exit');
      holder.kill('SIGKILL');
      await gone;
    });
  }
  return vmIds;
}

// Namespaces, and /proc, are of Linux.
test.runIf(process.platform === 'linux')(
  'a broken namespace keeps neither the agent from starting nor the others from their rules',
  async () => {
    const dir = await realpath(await mkdtemp(join(tmpdir(), 'pasta-')));
    await using stack = new AsyncDisposableStack();
    stack.defer(() => rm(dir, { recursive: true }));
    const vmIds = await guestsWithoutNamespaces(dir, 2, stack);
    const network = await openPastaNetwork({ dir, resolvers: ['192.0.2.1'], closed: [] });
    await network.sweep(vmIds.map((vmId) => ({ vmId, running: true })));
    const failed = await network.refresh([]).catch((error: unknown) => error);
    expect(failed).toBeInstanceOf(AggregateError);
    expect((failed as AggregateError).errors).toEqual([
      expect.objectContaining({ code: 'unavailable' }),
      expect.objectContaining({ code: 'unavailable' }),
    ]);
  },
);
