/** What both relay modes do: these tests run once with each, as `RELAY_MODE` is a setting. */
import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import { CLOSE } from '@vm-on-golem/shared/closes';
import { generateIdentity, type Identity } from '@vm-on-golem/shared/keys';
import { LIMITS } from '@vm-on-golem/shared/limits';
import type { Frame } from '@vm-on-golem/shared/stream/frame';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { codeOf, nextEpoch, ScriptedAgent, socketOf } from './parties.ts';
import {
  data,
  dial,
  openSsh,
  paired,
  receive,
  relay,
  requestor,
  send,
  type Pair,
} from './sessions.ts';
import type { TestSocket } from './socket.ts';

const resume = (offset: number): Frame => ({ kind: 'resume', offset, epoch: 1 });

afterEach(() => {
  vi.useRealTimers();
});

/** Both legs are lost, and the relay forgets all that it holds in memory: as by a deploy. */
async function dropLegs(session: string): Promise<void> {
  if (env.RELAY_MODE === 'hibernating') {
    return evictDurableObject(relay(session), { webSockets: 'close' });
  }
  // An object whose legs are coupled is never idle, so it cannot be evicted: only ended.
  await runInDurableObject(relay(session), (_, state) => state.abort('deployed')).catch(
    (error: unknown) => expect(String(error)).toContain('deployed'),
  );
}

/** Both parties come again. */
async function again({
  agent,
  session,
}: Pair): Promise<[agent: TestSocket, requestor: TestSocket]> {
  const agentAgain = await socketOf(await dial(agent.identity, session));
  const requestorAgain = await socketOf(await dial(requestor, session));
  return [agentAgain, requestorAgain];
}

describe(`a relay in ${env.RELAY_MODE} mode`, () => {
  it('passes frames both ways, whole and in order', async () => {
    const { requestorLeg, agentLeg } = await paired();
    for (let n = 0; n < 8; n += 1) {
      send(requestorLeg, data(n * 1000, 1000));
      send(agentLeg, data(n * 10, 10));
    }
    for (let n = 0; n < 8; n += 1) {
      expect(await receive(agentLeg)).toEqual(data(n * 1000, 1000));
      expect(await receive(requestorLeg)).toEqual(data(n * 10, 10));
    }
  });

  it('keeps what the agent says before the requestor is let in', async () => {
    const agent = await ScriptedAgent.online();
    const answer = openSsh(agent.identity.id);
    const opening = await agent.expect('relay.open');
    const agentLeg = await socketOf(await dial(agent.identity, opening.session));
    send(agentLeg, data(0, 20));
    await agent.answer(opening, 200);
    const requestorLeg = await socketOf(await answer);
    expect(await receive(requestorLeg)).toEqual(data(0, 20));
  });

  it('tells each end how the other one went', async () => {
    const first = await paired();
    first.requestorLeg.close(1000, 'both sides have ended');
    expect(await first.agentLeg.closed).toEqual({ code: 1000, reason: 'both sides have ended' });
    const second = await paired();
    second.agentLeg.close(CLOSE.guestGone.code, CLOSE.guestGone.reason);
    const { code, reason } = await second.requestorLeg.closed;
    expect([CLOSE.guestGone.code, CLOSE.peerGone.code]).toContain(code);
    expect(reason).toContain(CLOSE.guestGone.reason);
  });

  it('lets nobody in but the two parties, each with a newer epoch', async () => {
    const { agent, session, requestorLeg, agentLeg } = await paired();
    for (const kind of ['provider', 'requestor'] as const) {
      expect(await codeOf(await dial(await generateIdentity(kind), session))).toBe('forbidden');
    }
    expect(await codeOf(await dial(agent.identity, session, 1))).toBe('stale_epoch');
    expect(await codeOf(await dial(requestor, session, 1))).toBe('stale_epoch');
    send(requestorLeg, data(0));
    expect(await receive(agentLeg)).toEqual(data(0));
  });

  it('takes a session up again whose legs are lost, as after a deploy', async () => {
    const pair = await paired();
    send(pair.requestorLeg, data(0, 100));
    await receive(pair.agentLeg);
    await dropLegs(pair.session);
    const [agentAgain, requestorAgain] = await again(pair);
    send(agentAgain, resume(60));
    send(requestorAgain, resume(0));
    expect(await receive(requestorAgain)).toEqual(resume(60));
    expect(await receive(agentAgain)).toEqual(resume(0));
    send(requestorAgain, data(60, 40));
    expect(await receive(agentAgain)).toEqual(data(60, 40));
  });

  it('parts both legs when one party comes again, so that both do', async () => {
    const pair = await paired();
    const epoch = nextEpoch();
    const requestorAgain = await socketOf(await dial(requestor, pair.session, epoch));
    const lost = [1006, CLOSE.parted.code];
    expect(lost).toContain((await pair.requestorLeg.closed).code);
    expect(lost).toContain((await pair.agentLeg.closed).code);
    expect(await codeOf(await dial(requestor, pair.session, epoch))).toBe('stale_epoch');
    send(requestorAgain, resume(3));
    const agentAgain = await socketOf(await dial(pair.agent.identity, pair.session));
    expect(await receive(agentAgain)).toEqual(resume(3));
    send(agentAgain, resume(0));
    expect(await receive(requestorAgain)).toEqual(resume(0));
  });

  it('hears the last leg of a party that comes again and again', async () => {
    const pair = await paired();
    await dropLegs(pair.session);
    const first = await socketOf(await dial(pair.agent.identity, pair.session));
    send(first, resume(1));
    const [second, requestorAgain] = await again(pair);
    expect((await first.closed).code).toBe(CLOSE.displaced.code);
    send(second, resume(2));
    expect(await receive(requestorAgain)).toEqual(resume(2));
  });

  it('lets one epoch in once, and the newest of several dials at once', async () => {
    const pair = await paired();
    const epoch = nextEpoch();
    const epochs = [epoch, nextEpoch(), epoch, epoch - 1, epoch];
    const answers = await Promise.all(
      epochs.map((epoch) => dial(pair.agent.identity, pair.session, epoch)),
    );
    const opened = epochs.filter((_, n) => answers[n]?.status === 101);
    expect(opened).toContain(epochs[1]);
    expect(opened).toEqual([...new Set(opened)]);
    for (const answer of answers) {
      if (answer.status !== 101) expect(await codeOf(answer)).toBe('stale_epoch');
    }
    expect(await codeOf(await dial(pair.agent.identity, pair.session, epochs[1]))).toBe(
      'stale_epoch',
    );
  });

  it('brings both together who come at once, again and again', async () => {
    const pair = await paired();
    const comes = async (identity: Identity): Promise<TestSocket> => {
      for (;;) {
        const answer = await dial(identity, pair.session);
        if (answer.status !== 101) {
          expect(['stale_epoch', 'link_lost']).toContain(await codeOf(answer));
          continue;
        }
        const leg = await socketOf(answer);
        send(leg, resume(0));
        const heard = await receive(leg).catch(() => undefined);
        if (!heard) continue;
        expect(heard).toEqual(resume(0));
        return leg;
      }
    };
    for (let round = 0; round < 5; round += 1) {
      const [agentAgain, requestorAgain] = await Promise.all(
        [pair.agent.identity, requestor].map(comes),
      );
      if (!agentAgain || !requestorAgain) throw new TypeError('two came');
      send(requestorAgain, data(0, 10));
      expect(await receive(agentAgain)).toEqual(data(0, 10));
    }
  });

  it('refuses what it cannot settle among many dials with an error that says so', async () => {
    const pair = await paired();
    const answers = await Promise.all(
      Array.from({ length: 12 }, (_, n) =>
        dial(n % 3 === 0 ? requestor : pair.agent.identity, pair.session),
      ),
    );
    for (const answer of answers) {
      if (answer.status === 101) continue;
      expect(['stale_epoch', 'link_lost']).toContain(await codeOf(answer));
    }
  });

  it('asks for the leg of an agent that does not come by itself', async () => {
    const pair = await paired();
    await dropLegs(pair.session);
    await socketOf(await dial(requestor, pair.session));
    expect(await runDurableObjectAlarm(relay(pair.session))).toBe(true);
    expect(await pair.agent.expect('relay.resume')).toMatchObject({ session: pair.session });
  });

  it('forgets a session that nobody takes up again', async () => {
    const pair = await paired();
    await dropLegs(pair.session);
    expect(await runDurableObjectAlarm(relay(pair.session))).toBe(true);
    vi.setSystemTime(Date.now() + LIMITS.relay.graceSeconds * 1000);
    expect(await codeOf(await dial(requestor, pair.session))).toBe('session_not_found');
    expect(await runDurableObjectAlarm(relay(pair.session))).toBe(true);
    await runInDurableObject(relay(pair.session), async (_, { storage }) => {
      expect([...storage.kv.list()]).toEqual([]);
      expect(await storage.getAlarm()).toBeNull();
    });
  });

  it('ends a session whose time is up', async () => {
    const { agent, session, requestorLeg, agentLeg } = await paired();
    const [aged] = await runInDurableObject(relay(session), (_, { storage }) => [
      storage.kv.get<{ endsAt: number }>('session'),
    ]);
    vi.setSystemTime(aged?.endsAt ?? 0);
    await runDurableObjectAlarm(relay(session)).catch((error: unknown) => {
      // In coupled mode the object goes with its legs.
      expect(String(error)).toContain('parted');
    });
    expect([1006, CLOSE.quota.code]).toContain((await requestorLeg.closed).code);
    expect([1006, CLOSE.quota.code]).toContain((await agentLeg.closed).code);
    vi.useRealTimers();
    expect(await codeOf(await dial(agent.identity, session))).toBe('session_not_found');
  });
});
