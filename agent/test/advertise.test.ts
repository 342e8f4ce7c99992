/** What is free is said anew whenever it changes, and a burst of changes is said once. */
import { paths, type Accepted } from '@vm-on-golem/shared/api';
import { openOffer } from '@vm-on-golem/shared/offer';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { AGENT_LIMITS } from '../src/limits.ts';
import { createBody, scratchFolder } from './provider.ts';
import { RunningAgent } from './running.ts';

let cleanup: AsyncDisposableStack;
let dir: string;
beforeEach(async () => {
  cleanup = new AsyncDisposableStack();
  dir = cleanup.use(await scratchFolder()).path;
});
afterEach(() => cleanup.disposeAsync());

const BURST = 50;

test('fifty creations at once are a few offers, of which the last one is right', async () => {
  const settings = { memory: '64', storage: '1000', 'max-vms': '60' };
  const agent = cleanup.use(await RunningAgent.start({ dir, settings }));
  const started = performance.now();
  const created = await Promise.all(
    Array.from({ length: BURST }, (_, n) => agent.create(createBody(`vm-${n}`))),
  );
  // Each is a change, and each becomes ready, which is another.
  await Promise.all(created.map(({ operation }: Accepted) => agent.follow(operation)));
  const right = { cpus: 64 - BURST, memoryMiB: 65_536 - BURST * 512, storageGiB: 1000 - BURST * 5 };
  await agent.offered(({ available }) => available.cpus === right.cpus);
  const windows = Math.ceil((performance.now() - started) / AGENT_LIMITS.link.offerMillis);
  expect(agent.offers.length).toBeLessThanOrEqual(windows + 1);
  expect(agent.offers.length).toBeLessThan(BURST);
  const last = agent.offers.at(-1);
  if (!last) throw new Error('no offer');
  expect((await openOffer(last, agent.id)).available).toEqual({ ...right, vms: 10 });
});

test('a VM that is smaller than those that are rented here is refused, in words', async () => {
  const settings = { 'min-cpus': '2', 'min-memory': '1G', 'min-storage': '10' };
  const agent = cleanup.use(await RunningAgent.start({ dir, settings }));
  expect(await agent.ask('POST', paths.vms(agent.id), { body: createBody('web') })).toMatchObject({
    status: 400,
    body: {
      error: {
        code: 'invalid_request',
        message:
          'The provider rents no VM with less than 2 CPUs and 1024 MiB of memory and 10 GiB of storage.',
      },
    },
  });
});
