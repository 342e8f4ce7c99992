/** Providers whose hub is another one than it was, as the number of hubs has changed. */
import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test';
import { env, exports } from 'cloudflare:workers';
import { paths, type Provider, type ProvidersPage } from '@vm-on-golem/shared/api';
import { CLOSE } from '@vm-on-golem/shared/closes';
import { CONTROL_PROTOCOL } from '@vm-on-golem/shared/control';
import { generateIdentity, type Identity } from '@vm-on-golem/shared/keys';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { DISCOVERY_LIMITS } from '../src/limits.ts';
import { hubOf, type Arrival } from '../src/objects/hub/port.ts';
import type { Presence } from '../src/objects/hub/presence.ts';
import { stampedUpgrade } from '../src/objects/upgrade.ts';
import { nextEpoch, ORIGIN, ScriptedAgent, send, signed, socketOf } from './parties.ts';

const home = (provider: string) => hubOf(env.HUB, env.HUB_SHARDS, provider);
type HubStub = ReturnType<typeof home>;

let hubs = 0;
/** One that there was when there were more. */
const formerHub = (): HubStub =>
  env.HUB.get(env.HUB.idFromName(`hub-${env.HUB_SHARDS + (hubs += 1)}`));

/** Connects as the worker would let it when the provider belonged to `hub`. */
async function onlineAt(hub: HubStub, identity: Identity): Promise<ScriptedAgent> {
  const arrival: Arrival = {
    address: 'unknown',
    ...{ provider: identity.id, epoch: nextEpoch(), country: 'unknown', asn: null },
    requestId: 'req_test',
  };
  const response = await hub.fetch(stampedUpgrade('/connect', arrival, CONTROL_PROTOCOL));
  const agent = new ScriptedAgent(identity, await socketOf(response));
  await agent.offer();
  await agent.expect('welcome');
  return agent;
}

const known = (hub: HubStub, provider: string) =>
  runInDurableObject(hub, (_, { storage }) => storage.kv.get<Presence>(`provider:${provider}`));

/** Whether `GET /v1/providers` has it. */
async function isListed(provider: string): Promise<boolean> {
  let cursor = '';
  do {
    const response = await exports.default.fetch(`${ORIGIN}${paths.providers}?limit=100${cursor}`);
    const { providers, next } = await response.json<ProvidersPage>();
    if (providers.some(({ id }) => id === provider)) return true;
    cursor = next === null ? '' : `&cursor=${encodeURIComponent(next)}`;
  } while (cursor !== '');
  return false;
}

const untilListed = (provider: string) =>
  vi.waitFor(async () => expect(await isListed(provider)).toBe(true));

async function since(provider: string): Promise<string> {
  const response = await exports.default.fetch(ORIGIN + paths.provider(provider));
  return (await response.json<Provider>()).since;
}

const epochInList = async (provider: string) =>
  (await env.DB.prepare('SELECT epoch FROM providers WHERE id = ?').bind(provider).first())?.[
    'epoch'
  ];

async function ask(provider: string) {
  const requestor = await generateIdentity('requestor');
  return send(await signed(requestor, { method: 'GET', path: paths.vms(provider) }));
}

/** @returns a promise of the moment at which some hub wants to write to the list, and has to wait */
function delayNextWrite(until: Promise<void>): Promise<void> {
  const begun = Promise.withResolvers<void>();
  const prototype = Object.getPrototypeOf(env.DB) as D1Database;
  const batch = prototype.batch;
  vi.spyOn(prototype, 'batch').mockImplementationOnce(async function (this: D1Database, all) {
    begun.resolve();
    await until;
    return Reflect.apply(batch, this, [all]);
  });
  return begun.promise;
}

afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

describe('a provider that belongs to another hub', () => {
  it('moves there, and is listed all the while', async () => {
    const [identity, former] = [await generateIdentity('provider'), formerHub()];
    const { id } = identity;
    const old = await onlineAt(former, identity);
    await untilListed(id);

    expect(await runDurableObjectAlarm(former)).toBe(true);
    expect((await old.expect('drain')).reason).toContain('another hub');
    expect(await isListed(id)).toBe(true);

    const moved = await ScriptedAgent.online(identity);
    expect(await isListed(id)).toBe(true);
    const answer = ask(id);
    await moved.answer(await moved.expect('request'), 200);
    expect((await answer).status).toBe(200);

    const before = await since(id);
    old.socket.close(1000, 'a newer connection serves');
    await vi.waitFor(async () => {
      expect(await isListed(id)).toBe(true);
      expect(await known(former, id)).toBeUndefined();
    });
    expect(await isListed(id)).toBe(true);
    expect(await since(id)).toBe(before);
  });

  it('is not shown as gone by the old hub before the new one has written that it came', async () => {
    const [identity, former] = [await generateIdentity('provider'), formerHub()];
    const { id } = identity;
    const old = await onlineAt(former, identity);
    await untilListed(id);

    const writing = Promise.withResolvers<void>();
    const begun = delayNextWrite(writing.promise);
    await ScriptedAgent.online(identity);
    await begun;
    old.socket.close(1000, 'a newer connection serves');
    await vi.waitFor(async () => expect((await known(former, id))?.phase).toBe('absent'));
    for (let looks = 0; looks < 20; looks += 1) expect(await isListed(id)).toBe(true);

    writing.resolve();
    await vi.waitFor(async () => expect(await known(former, id)).toBeUndefined());
    expect(await isListed(id)).toBe(true);
  });

  it('still answers what it was asked over the old socket', async () => {
    const [identity, former] = [await generateIdentity('provider'), formerHub()];
    const old = await onlineAt(former, identity);
    const requestor = await generateIdentity('requestor');
    const request = await signed(requestor, { method: 'GET', path: paths.vms(identity.id) });
    const first = former.request(identity.id, 'req_1', request);
    const asked = await old.expect('request');
    await runDurableObjectAlarm(former);
    await old.expect('drain');
    await ScriptedAgent.online(identity);
    await old.answer(asked, 200);
    expect(await first).toMatchObject({ ok: true, value: { status: 200 } });
    // Whoever still asks the old hub is answered as well.
    const second = former.request(identity.id, 'req_2', request);
    await old.answer(await old.expect('request'), 200);
    expect(await second).toMatchObject({ ok: true });
  });

  it('is cut off when it does not go, and stays listed until it is back', async () => {
    const [identity, former] = [await generateIdentity('provider'), formerHub()];
    const { id } = identity;
    const old = await onlineAt(former, identity);
    await untilListed(id);
    await runDurableObjectAlarm(former);
    await old.expect('drain');
    vi.setSystemTime(Date.now() + DISCOVERY_LIMITS.hub.drainMillis);
    await runDurableObjectAlarm(former);
    expect(await old.socket.closed).toEqual(CLOSE.drain);
    expect(await isListed(id)).toBe(true);
    await ScriptedAgent.online(identity);
    // The grace at the former hub ends, which is no news.
    vi.setSystemTime(Date.now() + 60_000);
    await runDurableObjectAlarm(former);
    await vi.waitFor(async () => expect(await known(former, id)).toBeUndefined());
    expect(await isListed(id)).toBe(true);
  });

  it('is looked for as soon as anything wakes its hub after the number has changed', async () => {
    const [identity, former] = [await generateIdentity('provider'), formerHub()];
    const old = await onlineAt(former, identity);
    await runInDurableObject(former, (_, { storage }) => {
      storage.kv.put('shards', env.HUB_SHARDS + 3);
    });
    await evictDurableObject(former);
    await old.offer({ accepting: false });
    expect(await old.expect('drain')).toBeDefined();
  });

  it('is no stranger at its new hub before it has come', async () => {
    const identity = await generateIdentity('provider');
    await onlineAt(formerHub(), identity);
    await untilListed(identity.id);
    const waiting = await ask(identity.id);
    expect(waiting.status).toBe(503);
    expect(await waiting.json()).toMatchObject({
      error: { code: 'provider_offline', retryable: true },
    });
    expect((await ask((await generateIdentity('provider')).id)).status).toBe(404);
  });

  it('is forgotten though it was gone already', async () => {
    const [identity, former] = [await generateIdentity('provider'), formerHub()];
    const old = await onlineAt(former, identity);
    await untilListed(identity.id);
    old.socket.close(1000, 'bye');
    await vi.waitFor(async () => expect(await known(former, identity.id)).toBeUndefined());
    expect(await isListed(identity.id)).toBe(false);
  });
});

describe('a provider that comes back to the hub that it had left', () => {
  it('is not taken off the list by the one in between', async () => {
    const [identity, between] = [await generateIdentity('provider'), formerHub()];
    const { id } = identity;
    // A deploy cuts sockets, and the hub does not hear of it while it sleeps.
    await ScriptedAgent.online(identity, { name: 'same' });
    await untilListed(id);
    await evictDurableObject(home(id), { webSockets: 'close' });
    await onlineAt(between, identity);
    const inBetween = await epochInList(id);
    await evictDurableObject(between, { webSockets: 'close' });
    await ScriptedAgent.online(identity, { name: 'same' });
    expect(await isListed(id)).toBe(true);

    for (let sweeps = 0; sweeps < 2; sweeps += 1) {
      vi.setSystemTime(Date.now() + 60_000);
      await runDurableObjectAlarm(between);
      expect(await isListed(id)).toBe(true);
    }
    await vi.waitFor(async () => expect(await known(between, id)).toBeUndefined());
    expect(await isListed(id)).toBe(true);
    expect(await epochInList(id)).toBeGreaterThan(Number(inBetween));
  });
});
