/** Nobody pays for a VM that was never ready: so there is a bound on how many one key has of them. */
import { paths, type Accepted } from '@vm-on-golem/shared/api';
import { errorBodySchema } from '@vm-on-golem/shared/error-body';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { DriverError, type LaunchStage } from '../src/drivers/driver.ts';
import { AGENT_LIMITS } from '../src/limits.ts';
import {
  createBody,
  Requestor,
  scratchFolder,
  startProvider,
  type TestProvider,
} from './provider.ts';

const { failedCreations, failedCreationsMillis } = AGENT_LIMITS.vms;
const MINUTE = 60_000;

let cleanup: AsyncDisposableStack;
let dir: string;
/** The stage at which guests break. */
let breaksAt: LaunchStage | undefined;

beforeEach(async () => {
  cleanup = new AsyncDisposableStack();
  dir = cleanup.use(await scratchFolder()).path;
  breaksAt = 'ssh';
});
afterEach(() => cleanup.disposeAsync());

const start = (passed = 0) =>
  startProvider({
    ...{ dir, passed },
    faults: {
      launch: async (_, stage) => {
        if (stage === breaksAt) throw new DriverError('failed', 'It does not answer.');
      },
    },
  });

async function fails(who: Requestor, name: string): Promise<void> {
  const { operation } = await who.create(name);
  expect(await who.follow(operation)).toMatchObject({ state: 'failed' });
}

const order = (at: TestProvider, who: Requestor, name: string) =>
  who.call('POST', paths.vms(at.id), { body: createBody(name) });

test('who has had it is told when to come back, over restarts of the agent, and others are served', async () => {
  let first: Requestor;
  {
    await using provider = await start();
    first = await Requestor.of(provider);
    for (let n = 0; n < failedCreations; n += 1) {
      await fails(first, `vm-${n}`);
      provider.clock.advance(MINUTE);
    }
  }
  await using provider = await start(failedCreations * MINUTE);
  const again = new Requestor(first.identity, provider);
  const refused = await order(provider, again, 'more');
  expect(refused.status).toBe(429);
  const { error } = errorBodySchema.parse(refused.body);
  expect(error).toMatchObject({ code: 'rate_limited', retryable: true });
  expect(error.hint).toMatch(/cost nothing/);
  const wait = (error.retryAfter ?? 0) * 1000;
  // The first one of them is that old already.
  const left = failedCreationsMillis - failedCreations * MINUTE;
  expect(wait).toBeGreaterThan(left - MINUTE);
  expect(wait).toBeLessThanOrEqual(left + 1000);
  expect(provider.store.vms.live()).toEqual([]);

  breaksAt = undefined;
  const other = await Requestor.of(provider);
  await other.running('web');
  provider.clock.advance(wait);
  await again.running('web');
});

test('those whose guest never had the machine do not count, and neither do those that succeed', async () => {
  await using provider = await start();
  const alice = await Requestor.of(provider);
  breaksAt = 'disk';
  for (let n = 0; n < failedCreations; n += 1) await fails(alice, `vm-${n}`);
  breaksAt = undefined;
  for (let n = 0; n <= failedCreations; n += 1) await alice.running(`web-${n}`);
  expect(provider.store.vms.live()).toHaveLength(failedCreations + 1);
});

test('those that their owner destroys before they are ready count, those that the provider ends do not', async () => {
  const waits = Promise.withResolvers<void>();
  await using provider = await startProvider({
    dir,
    faults: {
      launch: (_, stage, signal) =>
        stage === 'ssh'
          ? new Promise((resolve, reject) => {
              void waits.promise.then(resolve);
              signal.addEventListener('abort', () =>
                reject(new DriverError('aborted', 'broken off')),
              );
            })
          : Promise.resolve(),
    },
  });
  const alice = await Requestor.of(provider);
  const bob = await Requestor.of(provider);
  for (let n = 0; n < failedCreations; n += 1) {
    const { vm, operation } = await alice.create(`vm-${n}`);
    await boots(provider, operation);
    await alice.done('DELETE', paths.vm(provider.id, vm.id));

    const his = await bob.create(`vm-${n}`);
    await boots(provider, his.operation);
    provider.vms.operator.evict(his.vm.id, 'The disk breaks.');
    await bob.follow(his.operation);
    await provider.vms.operations.idle();
  }
  const refused = await order(provider, alice, 'more');
  expect(refused.status).toBe(429);
  const { message, hint } = errorBodySchema.parse(refused.body).error;
  expect(message).toMatch(/or were destroyed before they did/);
  expect(hint).toMatch(/Wait for VMs before you destroy them/);
  const accepted = await order(provider, bob, 'more');
  expect(accepted.status).toBe(202);
  waits.resolve();
  expect(await bob.follow((accepted.body as Accepted).operation)).toMatchObject({
    state: 'succeeded',
  });
});

/** Resolves when the guest of a creation is being booted. */
async function boots({ store, vms }: TestProvider, operation: string): Promise<void> {
  const { signal } = new AbortController();
  for (let after = 0; !store.operations.hasStage(operation, 'ssh'); after += 1) {
    await vms.operations.change(operation, after, 10_000, signal);
  }
}
