/** The control connection over real WebSockets, with a clock that the tests move. */
import { once } from 'node:events';
import { CLOSE } from '@vm-on-golem/shared/closes';
import type { HubMessage } from '@vm-on-golem/shared/control';
import { GolemError } from '@vm-on-golem/shared/errors';
import { generateIdentity, type Identity } from '@vm-on-golem/shared/keys';
import { LIMITS } from '@vm-on-golem/shared/limits';
import type { SignedOffer } from '@vm-on-golem/shared/offer';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Link } from '../src/link/link.ts';
import { AGENT_LIMITS } from '../src/limits.ts';
import type { LinkHandlers } from '../src/link/requests.ts';
import { Hub, ManualTime, type Wire } from './hub.ts';
import { silent } from './provider.ts';

let cleanup: AsyncDisposableStack;
let time: ManualTime;
let identity: Identity;
let hub: Hub;
let epoch: number;
let offers: number;
let connected: number;
let handlers: LinkHandlers;

let resumed: string[];
const { silenceSeconds, pingSeconds, textPingSeconds } = LIMITS.control;

beforeEach(async () => {
  cleanup = new AsyncDisposableStack();
  time = new ManualTime();
  identity = await generateIdentity('provider');
  hub = cleanup.use(await Hub.start({ now: time.now }));
  epoch = 0;
  offers = 0;
  connected = 0;
  resumed = [];
  handlers = {
    request: async ({ body }) => ({ status: 200, headers: {}, body }),
    relayOpen: async () => ({ status: 200, headers: {}, body: '{}' }),
    relayResume: (session) => resumed.push(session),
    refuse: async (_request, error) => ({
      ...{ status: error.status, headers: {} },
      body: JSON.stringify(error.toBody()),
    }),
  };
});
afterEach(() => cleanup.disposeAsync());

/** Starts a link that lives as long as the test. */
function startLink(to: Hub = hub): { link: Link; stop: () => Promise<void> } {
  const link = new Link({
    ...{ discovery: to.url, identity, now: time.now, timers: time, log: silent, handlers },
    epochs: { next: () => (epoch += 1) },
    random: () => 0.5,
    offer: async () => signedOffer((offers += 1)),
    connected: () => (connected += 1),
  });
  const stopping = new AbortController();
  const running = link.run(stopping.signal);
  const stop = async () => {
    stopping.abort();
    await running;
  };
  cleanup.defer(stop);
  return { link, stop };
}

function signedOffer(number: number): SignedOffer {
  return { text: `{"number":${number}}`, signature: 'A'.repeat(86) };
}

async function welcomed(at: Hub = hub): Promise<Wire> {
  const wire = await at.connection();
  await wire.message('offer');
  wire.welcome(time.now);
  await roundTrip(wire);
  return wire;
}

/** When it is over, whatever was sent before has been dealt with. */
async function roundTrip({ socket }: Wire): Promise<void> {
  const pong = once(socket, 'pong');
  socket.ping();
  await pong;
}

const request = (id: string, body = ''): HubMessage => ({
  ...{ type: 'request', id, method: 'GET', url: `${hub.url}/x`, headers: {}, body },
});

describe('connecting', () => {
  test('is signed, carries a rising epoch, and begins with the offer', async () => {
    const { link } = startLink();
    const wire = await hub.connection();
    expect(wire.path).toBe('/v1/agent');
    expect(wire.proof).toMatchObject({ keyId: identity.publicKey, epoch: 1 });
    expect(wire.socket.protocol).toBe('golem.agent.v1');
    expect((await wire.message('offer')).offer).toEqual(signedOffer(1));
    expect(connected).toBe(0);
    wire.welcome(time.now);
    await roundTrip(wire);
    expect(connected).toBe(1);
    expect(link.phase).toBe('connected');
  });

  test('goes on for ever: after a refusal, a dead address and a lost connection', async () => {
    hub.refuse = {
      status: 429,
      body: JSON.stringify(new GolemError('rate_limited', 'Slowly.', { retryAfter: 20 }).toBody()),
    };
    const { link } = startLink();
    await until(() => link.phase === 'backing-off');
    // Discovery said 20 s.
    time.advance(19_000);
    expect(hub.upgrades).toBe(1);
    hub.refuse = undefined;
    time.next();
    const first = await welcomed();

    const port = Number(new URL(hub.url).port);
    first.socket.terminate();
    await hub[Symbol.asyncDispose]();
    await until(() => link.phase === 'backing-off');
    for (let tries = 0; tries < 3; tries += 1) {
      time.next();
      expect(link.phase).toBe('connecting');
      await until(() => link.phase === 'backing-off');
    }
    hub = cleanup.use(await Hub.start({ now: time.now, port }));
    time.next();
    const again = await welcomed();
    expect(again.proof.epoch).toBeGreaterThan(first.proof.epoch ?? 0);
    expect(connected).toBe(2);
  });

  test('stays away for long when another agent took over', async () => {
    const { link } = startLink();
    const wire = await welcomed();
    wire.socket.close(CLOSE.displaced.code, CLOSE.displaced.reason);
    await until(() => link.phase === 'backing-off');
    time.advance(AGENT_LIMITS.link.displacedMillis - 1000);
    expect(hub.upgrades).toBe(1);
    time.next();
    await welcomed();
  });
});

describe('a connection', () => {
  test('is pinged, and asked in text once in a while', async () => {
    startLink();
    const wire = await welcomed();
    const pings: number[] = [];
    wire.socket.on('ping', () => pings.push(1));
    for (let seconds = 0; seconds < textPingSeconds; seconds += pingSeconds) {
      time.advance(pingSeconds * 1000);
      await roundTrip(wire);
    }
    expect(pings.length).toBeGreaterThanOrEqual(9);
    expect(await wire.text()).toBe('ping');
    wire.socket.send('pong');
    await roundTrip(wire);
    expect(hub.upgrades).toBe(1);
  });

  test('to a peer that says nothing is given up', async () => {
    const mute = cleanup.use(await Hub.start({ now: time.now, autoPong: false }));
    const { link } = startLink(mute);
    const wire = await mute.connection();
    await wire.message('offer');
    wire.welcome(time.now);
    await until(() => link.phase === 'connected');
    const closed = wire.closed();
    time.advance(silenceSeconds * 1000);
    expect(link.phase).toBe('backing-off');
    expect((await closed).code).toBe(1006);
    time.next();
    await mute.connection();
  });

  test('that drains is kept until the next one serves', async () => {
    const { link } = startLink();
    const old = await welcomed();
    old.send({ type: 'drain', reason: 'a new version' });
    await until(() => link.phase === 'draining');
    time.advance(AGENT_LIMITS.link.drainMillis);
    const next = await hub.connection();
    await next.message('offer');
    // The old one still serves.
    old.send(request('r1', 'old'));
    expect(await old.message('response')).toMatchObject({ id: 'r1', body: 'old' });
    const closed = old.closed();
    next.welcome(time.now);
    expect(await closed).toMatchObject({ code: 1000 });
    next.send(request('r2', 'new'));
    expect(await next.message('response')).toMatchObject({ id: 'r2', body: 'new' });
    expect(link.phase).toBe('connected');
  });

  test('that drains is kept until it has its answers, though the next one serves', async () => {
    const slow = Promise.withResolvers<void>();
    const aborted: boolean[] = [];
    handlers = {
      ...handlers,
      request: async ({ body }, signal) => {
        await slow.promise;
        aborted.push(signal.aborted);
        return { status: 200, headers: {}, body };
      },
    };
    startLink();
    const old = await welcomed();
    old.send(request('r1', 'old'));
    old.send({ type: 'drain', reason: 'a new version' });
    await roundTrip(old);
    time.advance(AGENT_LIMITS.link.drainMillis);
    const next = await welcomed();
    await roundTrip(next);
    await roundTrip(old);
    expect(old.socket.readyState).toBe(old.socket.OPEN);
    const closed = old.closed();
    slow.resolve();
    expect(await old.message('response')).toMatchObject({ id: 'r1', body: 'old' });
    expect(await closed).toMatchObject({ code: 1000 });
    expect(aborted).toEqual([false]);
  });

  test('that is closed as its hub goes away is opened again at once, spread a little', async () => {
    const { link } = startLink();
    const wire = await welcomed();
    wire.socket.close(CLOSE.drain.code, CLOSE.drain.reason);
    await until(() => link.phase === 'backing-off');
    time.advance(AGENT_LIMITS.link.againMillis);
    await welcomed();
    expect(connected).toBe(2);
  });

  test('over which the hub breaks the protocol is closed with a reason, and opened anew', async () => {
    const { link } = startLink();
    const wire = await welcomed();
    const closed = wire.closed();
    wire.socket.send('{"type":"request"}');
    expect(await closed).toMatchObject({
      code: CLOSE.protocol.code,
      reason: expect.stringContaining('not valid') as string,
    });
    await until(() => link.phase === 'backing-off');
    time.next();
    await welcomed();
  });

  test('takes no message that is larger than any may be', async () => {
    startLink();
    const wire = await welcomed();
    const closed = wire.closed();
    wire.socket.send('x'.repeat(LIMITS.control.messageBytes + 1));
    expect((await closed).code).toBe(1009);
  });

  test('ignores what a newer hub says is optional', async () => {
    const { link } = startLink();
    const wire = await welcomed();
    wire.socket.send('{"type":"weather","optional":true}');
    await roundTrip(wire);
    expect(link.phase).toBe('connected');
  });

  test('ends with a word when the agent stops', async () => {
    const { link, stop } = startLink();
    const wire = await welcomed();
    const closed = wire.closed();
    await stop();
    expect(await closed).toMatchObject({ code: CLOSE.shutdown.code });
    expect(link.phase).toBe('stopped');
    time.advance(10 * 60_000);
    expect(hub.upgrades).toBe(1);
  });
});

describe('the offer', () => {
  test('is sent again when it changes: several changes as one', async () => {
    const { link } = startLink();
    const wire = await welcomed();
    for (let n = 0; n < 10; n += 1) link.offerChanged();
    time.advance(AGENT_LIMITS.link.offerMillis);
    expect((await wire.message('offer')).offer).toEqual(signedOffer(2));
    time.advance(AGENT_LIMITS.link.offerMillis);
    await roundTrip(wire);
    expect(wire.unread).toBe(0);
    link.offerChanged();
    time.advance(AGENT_LIMITS.link.offerMillis);
    expect((await wire.message('offer')).offer).toEqual(signedOffer(3));
  });
});

describe('requests', () => {
  test('are answered as they are done, not as they came', async () => {
    const slow = Promise.withResolvers<void>();
    handlers = {
      ...handlers,
      request: async ({ body }) => {
        if (body === 'slow') await slow.promise;
        return { status: 200, headers: {}, body };
      },
    };
    startLink();
    const wire = await welcomed();
    wire.send(request('r1', 'slow'));
    wire.send(request('r2', 'fast'));
    expect(await wire.message('response')).toMatchObject({ id: 'r2' });
    slow.resolve();
    expect(await wire.message('response')).toMatchObject({ id: 'r1' });
  });

  test('are cancelled by the hub, and with their connection', async () => {
    const signals: AbortSignal[] = [];
    handlers = {
      ...handlers,
      request: (_request, signal) => {
        signals.push(signal);
        return new Promise((resolve) => {
          signal.addEventListener('abort', () => resolve({ status: 200, headers: {}, body: '' }));
        });
      },
    };
    const { link } = startLink();
    const wire = await welcomed();
    wire.send(request('r1'));
    wire.send(request('r2'));
    wire.send({ type: 'cancel', id: 'r1' });
    await roundTrip(wire);
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, false]);
    wire.socket.terminate();
    await until(() => link.phase === 'backing-off');
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, true]);
  });

  test('beyond the bound are refused at once, and far beyond it dropped', async () => {
    const never = Promise.withResolvers<never>();
    cleanup.defer(() => never.reject(new Error('the test is over')));
    let begun = 0;
    handlers = {
      ...handlers,
      request: () => {
        begun += 1;
        return never.promise;
      },
    };
    startLink();
    const wire = await welcomed();
    const { inFlight } = LIMITS.control;
    for (let n = 0; n < inFlight; n += 1) wire.send(request(`r${n}`));
    wire.send(request('more'));
    const refused = await wire.message('response');
    expect(refused).toMatchObject({ id: 'more', status: 503 });
    expect(refused.body).toContain('provider_busy');
    expect(begun).toBe(inFlight);
  });

  test('to open a relay carry the requestor’s own upgrade', async () => {
    const seen: string[] = [];
    handlers = {
      ...handlers,
      relayOpen: async ({ session, url }) => {
        seen.push(session, url);
        return { status: 200, headers: {}, body: '{}' };
      },
    };
    startLink();
    const wire = await welcomed();
    const session = 'a'.repeat(64);
    wire.send({ type: 'relay.open', id: 'r1', session, url: 'https://x/y', headers: {} });
    expect(await wire.message('response')).toMatchObject({ id: 'r1', status: 200 });
    expect(seen).toEqual([session, 'https://x/y']);
  });
});

/** Lets what is under way happen until `condition` holds. The test's own timeout bounds it. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}
