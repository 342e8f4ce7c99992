import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import { paths } from '@vm-on-golem/shared/api';
import { CLOSE } from '@vm-on-golem/shared/closes';
import { generateIdentity } from '@vm-on-golem/shared/keys';
import { LIMITS } from '@vm-on-golem/shared/limits';
import { verifyAnswer } from '@vm-on-golem/shared/answers';
import { encodeFrame, type Frame } from '@vm-on-golem/shared/stream/frame';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { Relay } from '../src/objects/relay/object.ts';
import { codeOf, nextEpoch, ScriptedAgent, signed, socketOf, upgrade } from './parties.ts';
import { data, dial, openSsh, paired, receive, relay, requestor, send } from './sessions.ts';

const ping: Frame = { kind: 'ping', offset: 1 };

afterEach(() => {
  vi.useRealTimers();
});

describe('a session', () => {
  it('is opened when the agent has answered and come', async () => {
    const agent = await ScriptedAgent.online();
    const answer = openSsh(agent.identity.id);
    const opening = await agent.expect('relay.open');
    expect(opening.url).toContain('/vms/web/ssh');
    expect(Object.keys(opening.headers).sort()).toEqual([
      'golem-epoch',
      'signature',
      'signature-input',
    ]);
    await agent.answer(opening, 200);
    const agentLeg = await socketOf(await dial(agent.identity, opening.session));
    const response = await answer;
    expect(response.headers.get('golem-session')).toBe(opening.session);
    const requestorLeg = await socketOf(response);

    send(requestorLeg, data(0, 10));
    expect(await receive(agentLeg)).toEqual(data(0, 10));
    send(agentLeg, { kind: 'ack', offset: 10, window: 1000 });
    expect(await receive(requestorLeg)).toEqual({ kind: 'ack', offset: 10, window: 1000 });
  });

  it('passes on what the agent sent before the requestor was let in', async () => {
    const agent = await ScriptedAgent.online();
    const answer = openSsh(agent.identity.id);
    const opening = await agent.expect('relay.open');
    const agentLeg = await socketOf(await dial(agent.identity, opening.session));
    send(agentLeg, data(0, 20));
    send(agentLeg, data(20, 5));
    // Frames arrive in order: once this one is answered the others have been taken.
    await vi.waitFor(() =>
      runInDurableObject(relay(opening.session), (_, state) => {
        const [leg] = state.getWebSockets();
        expect(leg?.deserializeAttachment()).toMatchObject({ flow: { next: 25 } });
      }),
    );
    await agent.answer(opening, 200);
    const requestorLeg = await socketOf(await answer);
    expect(await receive(requestorLeg)).toEqual(data(0, 20));
    expect(await receive(requestorLeg)).toEqual(data(20, 5));
  });

  it("ends before it begins with the agent's own refusal", async () => {
    const agent = await ScriptedAgent.online();
    const request = await signed(requestor, {
      method: 'GET',
      path: paths.ssh(agent.identity.id, 'web'),
      epoch: nextEpoch(),
    });
    const answer = upgrade(request);
    const opening = await agent.expect('relay.open');
    await agent.answer(opening, 404, { error: { code: 'vm_not_found' } });
    const response = await answer;
    expect(response.status).toBe(404);
    const headers = Object.fromEntries(response.headers);
    const body = await response.text();
    await verifyAnswer({ status: 404, headers, body }, request, agent.identity.id);
    expect(await codeOf(await dial(agent.identity, opening.session))).toBe('session_not_found');
  });

  it('is refused when the provider is not there', async () => {
    const { id } = await generateIdentity('provider');
    expect(await codeOf(await openSsh(id))).toBe('provider_not_found');
  });

  it('ends when the agent has come but does not answer in time', async () => {
    const agent = await ScriptedAgent.online();
    const answer = openSsh(agent.identity.id);
    const { session } = await agent.expect('relay.open');
    const agentLeg = await socketOf(await dial(agent.identity, session));
    vi.setSystemTime(Date.now() + LIMITS.relay.pairSeconds * 1000);
    expect(await runDurableObjectAlarm(relay(session))).toBe(true);
    expect((await agentLeg.closed).code).toBe(CLOSE.unpaired.code);
    agent.socket.close(1000, 'bye');
    expect(await codeOf(await answer)).toBe('link_lost');
  });
});

describe('only the parties of a session', () => {
  it('may dial it, each with a newer epoch', async () => {
    const agent = await ScriptedAgent.online();
    void openSsh(agent.identity.id);
    const { session } = await agent.expect('relay.open');
    for (const kind of ['provider', 'requestor'] as const) {
      const refused = await dial(await generateIdentity(kind), session);
      expect(refused.status).toBe(403);
      expect(await codeOf(refused)).toBe('forbidden');
    }
    const epoch = nextEpoch();
    await socketOf(await dial(agent.identity, session, epoch));
    expect(await codeOf(await dial(agent.identity, session, epoch))).toBe('stale_epoch');
    expect(await codeOf(await dial(agent.identity, session))).toBe('wrong_state');
    expect(await codeOf(await dial(requestor, session))).toBe('wrong_state');
    agent.socket.close(1000, 'bye');
  });

  it('find it: a made-up id is refused, and so is one that never was a session', async () => {
    const identity = await generateIdentity('provider');
    for (const session of ['0'.repeat(64), 'f'.repeat(64), 'x']) {
      const refused = await dial(identity, session);
      expect(refused.status).toBe(404);
      expect(await codeOf(refused)).toBe('session_not_found');
    }
    const fresh = env.RELAY.newUniqueId().toString();
    expect(await codeOf(await dial(identity, fresh))).toBe('session_not_found');
  });
});

describe('a pair', () => {
  it('goes when one leg goes, with its reason, and leaves nothing behind', async () => {
    const { agent, session, requestorLeg, agentLeg } = await paired();
    agentLeg.close(CLOSE.guestGone.code, CLOSE.guestGone.reason);
    expect(await requestorLeg.closed).toEqual({
      code: CLOSE.peerGone.code,
      reason: `${CLOSE.peerGone.reason}: ${CLOSE.guestGone.reason}`,
    });
    await runInDurableObject(relay(session), async (_, { storage }) => {
      expect([...storage.kv.list()]).toEqual([]);
      expect(await storage.getAlarm()).toBeNull();
    });
    expect(await codeOf(await dial(agent.identity, session))).toBe('session_not_found');
  });

  it('ends normally when one leg does', async () => {
    const { requestorLeg, agentLeg } = await paired();
    requestorLeg.close(1000, 'both sides have ended');
    expect(await agentLeg.closed).toEqual({ code: 1000, reason: 'both sides have ended' });
  });

  it('carries what the quota of a session allows, and no more', async () => {
    const { agent, session, requestorLeg, agentLeg } = await paired();
    const left = (bytesLeft: number) =>
      runInDurableObject(relay(session), (_, { storage }) => {
        storage.kv.put('session', { ...storage.kv.get<object>('session'), bytesLeft });
      });
    await left(1000);
    await evictDurableObject(relay(session));
    send(requestorLeg, data(0, 600));
    send(agentLeg, data(0, 400));
    expect(await receive(agentLeg)).toEqual(data(0, 600));
    expect(await receive(requestorLeg)).toEqual(data(0, 400));
    send(requestorLeg, data(600));
    expect(await requestorLeg.closed).toEqual(CLOSE.quota);
    expect(await agentLeg.closed).toEqual(CLOSE.quota);
    expect(await codeOf(await dial(agent.identity, session))).toBe('session_not_found');
  });

  it('keeps counting through hibernation', async () => {
    const { session, requestorLeg, agentLeg } = await paired();
    const { windowBytes, payloadBytes } = LIMITS.relay;
    for (let at = 0; at < windowBytes; at += payloadBytes) {
      send(requestorLeg, data(at, payloadBytes));
      await receive(agentLeg);
    }
    const probe = await receive(agentLeg);
    send(agentLeg, { kind: 'ack', offset: payloadBytes, window: windowBytes });
    await receive(requestorLeg);
    await evictDurableObject(relay(session));
    send(agentLeg, probe);

    send(requestorLeg, data(windowBytes, payloadBytes));
    expect(await receive(agentLeg)).toMatchObject({ kind: 'data', offset: windowBytes });
    await evictDurableObject(relay(session));
    send(requestorLeg, data(windowBytes + payloadBytes));
    expect((await requestorLeg.closed).code).toBe(CLOSE.overWindow.code);
    expect((await agentLeg.closed).code).toBe(CLOSE.peerGone.code);
  });

  it('goes with its first leg out of hibernation as well', async () => {
    const { session, requestorLeg, agentLeg } = await paired();
    await evictDurableObject(relay(session));
    agentLeg.close(CLOSE.shutdown.code, 'bye');
    expect(await requestorLeg.closed).toMatchObject({ code: CLOSE.peerGone.code });
    expect(await agentLeg.closed).toMatchObject({ code: CLOSE.shutdown.code });
  });
});

describe('a pair that was parted', () => {
  const resume = (offset: number): Frame => ({ kind: 'resume', offset, epoch: 1 });

  it('is taken up again after a deploy dropped both legs', async () => {
    const { agent, session, requestorLeg, agentLeg } = await paired();
    send(requestorLeg, data(0, 100));
    await receive(agentLeg);
    await evictDurableObject(relay(session), { webSockets: 'close' });

    const agentAgain = await socketOf(await dial(agent.identity, session));
    send(agentAgain, resume(60));
    const requestorAgain = await socketOf(await dial(requestor, session));
    send(requestorAgain, resume(0));
    expect(await receive(requestorAgain)).toEqual(resume(60));
    expect(await receive(agentAgain)).toEqual(resume(0));
    send(requestorAgain, data(60, 40));
    expect(await receive(agentAgain)).toEqual(data(60, 40));
    send(agentAgain, { kind: 'ack', offset: 100, window: 1000 });
    expect(await receive(requestorAgain)).toMatchObject({ kind: 'ack', offset: 100 });
    send(agentAgain, data(0, 5));
    expect(await receive(requestorAgain)).toEqual(data(0, 5));
  });

  it('is parted by the party that comes again: the other one has to, too', async () => {
    const { agent, session, requestorLeg, agentLeg } = await paired();
    const requestorAgain = await socketOf(await dial(requestor, session));
    expect((await requestorLeg.closed).code).toBe(CLOSE.parted.code);
    expect((await agentLeg.closed).code).toBe(CLOSE.parted.code);
    send(requestorAgain, resume(0));
    const agentAgain = await socketOf(await dial(agent.identity, session));
    expect(await receive(agentAgain)).toEqual(resume(0));
  });

  it('keeps what the first one said through hibernation', async () => {
    const { agent, session } = await paired();
    await evictDurableObject(relay(session), { webSockets: 'close' });
    const agentAgain = await socketOf(await dial(agent.identity, session));
    send(agentAgain, resume(7));
    send(agentAgain, { kind: 'ack', offset: 7, window: 1000 });
    await vi.waitFor(() =>
      runInDurableObject(relay(session), (_, state) => {
        const [leg] = state.getWebSockets();
        expect(leg?.deserializeAttachment()).toHaveProperty('early.length', 2);
      }),
    );
    await evictDurableObject(relay(session));
    const requestorAgain = await socketOf(await dial(requestor, session));
    expect(await receive(requestorAgain)).toEqual(resume(7));
    expect(await receive(requestorAgain)).toMatchObject({ kind: 'ack', offset: 7 });
    send(requestorAgain, resume(0));
    expect(await receive(agentAgain)).toEqual(resume(0));
    send(requestorAgain, data(7));
    expect(await receive(agentAgain)).toEqual(data(7));
  });

  it.each([
    ['bytes before anything else', [data(0)], CLOSE.protocol.code],
    ['bytes before the other end said where it is', [resume(0), data(0)], CLOSE.overWindow.code],
    ['two resumes', [resume(0), resume(0)], CLOSE.protocol.code],
    [
      'far too much',
      Array.from({ length: 9 }, (_, n) => (n ? ping : resume(0))),
      CLOSE.protocol.code,
    ],
  ])('takes no %s', async (_, frames, code) => {
    const { agent, session } = await paired();
    await evictDurableObject(relay(session), { webSockets: 'close' });
    const agentAgain = await socketOf(await dial(agent.identity, session));
    for (const frame of frames) send(agentAgain, frame);
    expect((await agentAgain.closed).code).toBe(code);
    expect(await codeOf(await dial(requestor, session))).toBe('session_not_found');
  });

  it('is not ended by what was on its way when its legs were parted', async () => {
    const { agent, session } = await paired();
    await runInDurableObject(relay(session), async (instance: Relay, state) => {
      const [one, other] = state.getWebSockets();
      if (!one || !other) throw new Error('there are not two legs');
      await instance.webSocketClose(one, 1006, '');
      await instance.webSocketMessage(other, encodeFrame(data(0)).buffer);
    });
    const agentAgain = await socketOf(await dial(agent.identity, session));
    send(agentAgain, resume(0));
    const requestorAgain = await socketOf(await dial(requestor, session));
    expect(await receive(requestorAgain)).toEqual(resume(0));
  });

  it('lets a party come again and again, and hears the last of its legs', async () => {
    const { agent, session } = await paired();
    await evictDurableObject(relay(session), { webSockets: 'close' });
    const first = await socketOf(await dial(agent.identity, session));
    send(first, resume(1));
    const second = await socketOf(await dial(agent.identity, session));
    expect((await first.closed).code).toBe(CLOSE.displaced.code);
    send(second, resume(2));
    const requestorAgain = await socketOf(await dial(requestor, session));
    expect(await receive(requestorAgain)).toEqual(resume(2));
  });

  it('is forgotten when nobody comes in time', async () => {
    const { agent, session } = await paired();
    await evictDurableObject(relay(session), { webSockets: 'close' });
    expect(await runDurableObjectAlarm(relay(session))).toBe(true);
    vi.setSystemTime(Date.now() + LIMITS.relay.graceSeconds * 1000);
    expect(await codeOf(await dial(agent.identity, session))).toBe('session_not_found');
    expect(await runDurableObjectAlarm(relay(session))).toBe(true);
    await runInDurableObject(relay(session), async (_, { storage }) => {
      expect([...storage.kv.list()]).toEqual([]);
      expect(await storage.getAlarm()).toBeNull();
    });
  });
});
