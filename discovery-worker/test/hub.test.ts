import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test';
import { env, exports } from 'cloudflare:workers';
import { paths, type Provider } from '@vm-on-golem/shared/api';
import { CLOSE } from '@vm-on-golem/shared/closes';
import { CONTROL_PROTOCOL } from '@vm-on-golem/shared/control';
import { readErrorBody } from '@vm-on-golem/shared/error-body';
import { generateIdentity } from '@vm-on-golem/shared/keys';
import { LIMITS } from '@vm-on-golem/shared/limits';
import { signOffer } from '@vm-on-golem/shared/offer';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { Hub } from '../src/index.ts';
import { DISCOVERY_LIMITS } from '../src/limits.ts';
import { hubOf, shardOf } from '../src/objects/hub/port.ts';
import type { Presence } from '../src/objects/hub/presence.ts';
import {
  codeOf,
  connectAgent,
  nextEpoch,
  offerOf,
  ORIGIN,
  ScriptedAgent,
  send,
  signed,
  socketOf,
} from './parties.ts';

async function shown(provider: string): Promise<Provider | undefined> {
  const response = await exports.default.fetch(ORIGIN + paths.provider(provider));
  return response.ok ? response.json<Provider>() : undefined;
}

const hub = (provider: string) => hubOf(env.HUB, env.HUB_SHARDS, provider);

/** Runs the sweep of the provider's hub as if `seconds` had passed. */
async function sweepAfter(provider: string, seconds: number): Promise<void> {
  vi.setSystemTime(Date.now() + seconds * 1000);
  expect(await runDurableObjectAlarm(hub(provider))).toBe(true);
}

/** When it is over the hub has heard the agent. */
async function roundTrip(agent: ScriptedAgent): Promise<void> {
  const answer = send(
    await signed(await generateIdentity('requestor'), {
      method: 'GET',
      path: paths.vms(agent.identity.id),
    }),
  );
  await agent.answer(await agent.expect('request'), 200);
  expect((await answer).status).toBe(200);
}

afterEach(() => {
  vi.useRealTimers();
});

describe('an agent that connects', () => {
  it('is welcomed after its offer, and listed', async () => {
    const identity = await generateIdentity('provider');
    const agent = new ScriptedAgent(identity, await socketOf(await connectAgent(identity)));
    expect(await shown(identity.id)).toBeUndefined();
    const offer = await agent.offer({ name: 'alpha' });
    const welcome = await agent.expect('welcome');
    expect(Math.abs(Date.parse(welcome.time) - Date.now())).toBeLessThan(60_000);
    await vi.waitFor(async () => {
      expect(await shown(identity.id)).toMatchObject({ id: identity.id, online: true, offer });
    });
  });

  it('is told the subprotocol, and refused without it', async () => {
    const identity = await generateIdentity('provider');
    const response = await connectAgent(identity);
    expect(response.headers.get('sec-websocket-protocol')).toBe('golem.agent.v1');
    expect(response.headers.get('golem-request-id')).toMatch(/^req_/);
    const other = await connectAgent(identity, { headers: { 'sec-websocket-protocol': 'chat' } });
    expect(await codeOf(other)).toBe('invalid_request');
  });

  it('is refused with an epoch that is not newer, and displaces with a newer one', async () => {
    const agent = await ScriptedAgent.online();
    const last = nextEpoch();
    const second = await connectAgent(agent.identity, { epoch: last });
    expect(second.status).toBe(101);
    expect(await agent.socket.closed).toEqual({
      code: CLOSE.displaced.code,
      reason: CLOSE.displaced.reason,
    });
    for (const epoch of [last, last - 1]) {
      const refused = await connectAgent(agent.identity, { epoch });
      expect(refused.status).toBe(409);
      expect(await codeOf(refused)).toBe('stale_epoch');
    }
  });

  it('is refused without an epoch, without an upgrade, and with a forged stamp', async () => {
    const identity = await generateIdentity('provider');
    const plain = await signed(identity, { method: 'GET', path: paths.agent, epoch: nextEpoch() });
    expect(await codeOf(await send(plain))).toBe('invalid_request');
    const bare = await signed(identity, { method: 'GET', path: paths.agent });
    const headers = { upgrade: 'websocket', 'sec-websocket-protocol': CONTROL_PROTOCOL };
    expect(await codeOf(await send(bare, headers))).toBe('bad_signature');

    const victim = await generateIdentity('provider');
    const stamp = JSON.stringify({ provider: victim.id, epoch: nextEpoch() });
    const forged = await connectAgent(identity, { headers: { 'golem-stamp': stamp } });
    expect(forged.status).toBe(101);
    await runInDurableObject(hub(victim.id), (_, state) => {
      expect(state.getWebSockets(victim.id)).toHaveLength(0);
    });
  });

  it('must show an offer of its own, signed and newer than its last', async () => {
    const [identity, other] = [
      await generateIdentity('provider'),
      await generateIdentity('provider'),
    ];
    const foreign = new ScriptedAgent(identity, await socketOf(await connectAgent(identity)));
    const offer = await signOffer(offerOf(other), other);
    foreign.socket.send(JSON.stringify({ type: 'offer', offer }));
    expect(await foreign.socket.closed).toMatchObject({ code: CLOSE.protocol.code });

    const agent = await ScriptedAgent.online(identity, { sequence: 7 });
    await agent.offer({ sequence: 7, accepting: false });
    const closed = await agent.socket.closed;
    expect(closed).toEqual({
      code: CLOSE.protocol.code,
      reason: 'offer 7 is not newer than 7',
    });
  });

  it('is answered pings without being woken', async () => {
    const agent = await ScriptedAgent.online();
    await evictDurableObject(hub(agent.identity.id));
    agent.socket.send('ping');
    expect(await agent.socket.text()).toBe('pong');
  });
});

describe('presence', () => {
  it('ends at once with a clean close', async () => {
    const agent = await ScriptedAgent.online();
    await vi.waitFor(async () => expect(await shown(agent.identity.id)).toBeDefined());
    agent.socket.close(1000, 'bye');
    await vi.waitFor(async () => {
      expect(await shown(agent.identity.id)).toMatchObject({ online: false });
    });
  });

  it('ends with a clean close out of hibernation as well', async () => {
    const agent = await ScriptedAgent.online();
    await vi.waitFor(async () => expect(await shown(agent.identity.id)).toBeDefined());
    await evictDurableObject(hub(agent.identity.id));
    agent.socket.close(CLOSE.shutdown.code, CLOSE.shutdown.reason);
    expect(await agent.socket.closed).toMatchObject({ code: CLOSE.shutdown.code });
    await vi.waitFor(async () => {
      expect(await shown(agent.identity.id)).toMatchObject({ online: false });
    });
  });

  it('outlasts a broken socket for the grace, and no longer', async () => {
    const { identity } = await ScriptedAgent.online();
    await vi.waitFor(async () => expect(await shown(identity.id)).toBeDefined());
    await evictDurableObject(hub(identity.id), { webSockets: 'close' });

    const requestor = await generateIdentity('requestor');
    const ask = async () =>
      send(await signed(requestor, { method: 'GET', path: paths.vms(identity.id) }));
    await sweepAfter(identity.id, 1);
    expect(await shown(identity.id)).toMatchObject({ online: true });
    const early = await ask();
    expect(early.headers.get('retry-after')).toBe(String(DISCOVERY_LIMITS.hub.backSeconds));
    expect(await codeOf(early)).toBe('provider_offline');
    await sweepAfter(identity.id, LIMITS.control.graceSeconds);
    await vi.waitFor(async () => {
      expect(await shown(identity.id)).toMatchObject({ online: false });
    });
    const late = await ask();
    expect(late.headers.get('retry-after')).toBeNull();
    expect(await codeOf(late)).toBe('provider_offline');
  });

  it('writes nothing for a reconnect within the grace that offers the same', async () => {
    const { identity } = await ScriptedAgent.online();
    await vi.waitFor(async () => expect(await shown(identity.id)).toBeDefined());
    const before = await shown(identity.id);
    await evictDurableObject(hub(identity.id), { webSockets: 'close' });
    await sweepAfter(identity.id, 1);

    const again = await ScriptedAgent.online(identity);
    const answer = send(
      await signed(await generateIdentity('requestor'), {
        method: 'GET',
        path: paths.vms(identity.id),
      }),
    );
    await again.answer(await again.expect('request'), 200);
    expect((await answer).status).toBe(200);
    // Offer and time are those of the first connection.
    expect(await shown(identity.id)).toEqual(before);
  });

  it('shows a changed offer', async () => {
    const agent = await ScriptedAgent.online();
    const available = { cpus: 1, memoryMiB: 512, storageGiB: 1, vms: 1 };
    const offer = await agent.offer({ available });
    await vi.waitFor(async () => expect(await shown(agent.identity.id)).toMatchObject({ offer }));
  });

  it('ends when an agent is silent, which the sweep finds', async () => {
    const agent = await ScriptedAgent.online();
    await vi.waitFor(async () => expect(await shown(agent.identity.id)).toBeDefined());
    const { textPingSeconds, silenceSeconds } = LIMITS.control;
    await sweepAfter(agent.identity.id, textPingSeconds);
    expect(await shown(agent.identity.id)).toMatchObject({ online: true });
    await sweepAfter(agent.identity.id, silenceSeconds + 1);
    expect((await agent.socket.closed).code).toBe(CLOSE.silent.code);
    await vi.waitFor(async () => {
      expect(await shown(agent.identity.id)).toMatchObject({ online: false });
    });
  });

  it('of an agent that is idle and pings is not looked at again before it can be silent', async () => {
    const agent = await ScriptedAgent.online();
    const { id } = agent.identity;
    const { textPingSeconds, silenceSeconds } = LIMITS.control;
    vi.setSystemTime(Date.now() + 2 * textPingSeconds * 1000);
    await roundTrip(agent);
    expect(await runDurableObjectAlarm(hub(id))).toBe(true);
    await runInDurableObject(hub(id), async (_, { storage }) => {
      expect(await storage.getAlarm()).toBe(Date.now() + (textPingSeconds + silenceSeconds) * 1000);
    });
  });

  it('never begins for an agent that offers nothing', async () => {
    const identity = await generateIdentity('provider');
    const socket = await socketOf(await connectAgent(identity));
    await sweepAfter(identity.id, LIMITS.control.helloSeconds + 1);
    expect(await socket.closed).toEqual({
      code: CLOSE.protocol.code,
      reason: 'no offer within 10 s',
    });
    expect(await shown(identity.id)).toBeUndefined();
  });

  it('is not ended by a hub whose knowledge is stale', async () => {
    const agent = await ScriptedAgent.online();
    const { id } = agent.identity;
    await vi.waitFor(async () => expect(await shown(id)).toBeDefined());
    // The provider connects to another hub, as after a change of the number of shards.
    await env.DB.prepare('UPDATE providers SET epoch = epoch + 100 WHERE id = ?').bind(id).run();
    agent.socket.close(1000, 'bye');
    await vi.waitFor(() =>
      runInDurableObject(hub(id), (_, { storage }) => {
        const presence = storage.kv.get<Presence>(`provider:${id}`);
        expect(presence).toMatchObject({ phase: 'absent', written: presence?.revision });
      }),
    );
    expect(await shown(id)).toMatchObject({ online: true });
  });
});

describe('an unanswered request', () => {
  it('times out, and takes a silent agent off the list', async () => {
    const agent = await ScriptedAgent.online();
    const { id } = agent.identity;
    await vi.waitFor(async () => expect(await shown(id)).toBeDefined());
    const outcome = await runInDurableObject(hub(id), async (instance: Hub) => {
      vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'] });
      const request = { method: 'GET', url: ORIGIN, headers: {}, body: '' };
      const asked = instance.request(id, 'req_x', request);
      await vi.advanceTimersByTimeAsync(LIMITS.control.answerSeconds * 1000);
      vi.useRealTimers();
      return asked;
    });
    await agent.expect('request');
    const error = outcome.ok ? undefined : readErrorBody(outcome.body);
    expect(error?.code).toBe('provider_timeout');
    expect((await agent.socket.closed).code).toBe(CLOSE.silent.code);
    await vi.waitFor(async () => expect(await shown(id)).toMatchObject({ online: false }));
  });
});

describe('shards', () => {
  it('hold about equally many providers each', async () => {
    const counts = [0, 0, 0, 0];
    for (let n = 0; n < 400; n++) {
      const shard = shardOf((await generateIdentity('provider')).id, counts.length);
      counts[shard] = (counts[shard] ?? 0) + 1;
    }
    expect(Math.min(...counts)).toBeGreaterThan(60);
  });
});
