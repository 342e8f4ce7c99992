/** Programs of the first version, and of versions to come, at the door of this one. */
import { exports } from 'cloudflare:workers';
import { paths } from '@vm-on-golem/shared/api';
import { generateIdentity, type Identity } from '@vm-on-golem/shared/keys';
import { openOffer, signOffer, type Offer } from '@vm-on-golem/shared/offer';
import { describe, expect, it, vi } from 'vitest';
import { connectAgent, offerOf, ORIGIN, ScriptedAgent, send, signed, socketOf } from './parties.ts';

/** Connects as an agent that says `offer`, and sends nothing that tells its version. */
async function connect(identity: Identity, offer: object): Promise<ScriptedAgent> {
  const agent = new ScriptedAgent(identity, await socketOf(await connectAgent(identity)));
  const text = await signOffer(offer as Offer, identity);
  agent.socket.send(JSON.stringify({ type: 'offer', offer: text }));
  return agent;
}

async function shown(id: string): Promise<Offer | undefined> {
  const response = await exports.default.fetch(ORIGIN + paths.provider(id));
  if (!response.ok) return undefined;
  const { offer } = await response.json<{ offer: { text: string; signature: string } }>();
  return openOffer(offer, id);
}

describe('an agent of the first version', () => {
  it('is welcome, listed and asked, and can do nothing beyond that version', async () => {
    const identity = await generateIdentity('provider');
    const { features: _, ...first } = offerOf(identity);
    const agent = await connect(identity, first);
    await agent.expect('welcome');
    await vi.waitFor(async () => {
      expect(await shown(identity.id)).toMatchObject({ features: [], driver: 'memory' });
    });
    const requestor = await generateIdentity('requestor');
    // What it has no route for it refuses by itself.
    for (const path of [paths.vms(identity.id), paths.succession(identity.id)]) {
      const request = { method: 'POST', path, body: '{}', idempotencyKey: 'a-key-of-it' };
      const answer = send(await signed(requestor, request));
      await agent.answer(await agent.expect('request'), 404, { error: 'mine' });
      expect((await answer).status).toBe(404);
    }
  });
});

describe('an agent of a version to come', () => {
  it('is welcome with words that nobody here knows', async () => {
    const identity = await generateIdentity('provider');
    const agent = await connect(identity, {
      ...offerOf(identity),
      driver: 'firecracker',
      isolation: 'vlan',
      capabilities: ['suspend', 'gpu'],
      features: ['succession', 'time-travel'],
    });
    await agent.expect('welcome');
    await vi.waitFor(async () => {
      expect(await shown(identity.id)).toMatchObject({
        ...{ driver: 'unknown', isolation: 'unknown' },
        ...{ capabilities: ['suspend'], features: ['succession'] },
      });
    });
  });

  it('is told that this service is too old for what it offers', async () => {
    const identity = await generateIdentity('provider');
    const agent = await connect(identity, { ...offerOf(identity), version: 2 });
    expect((await agent.socket.closed).reason).toBe(
      'The provider speaks version 2 of the protocol, the discovery service version 1.',
    );
    expect(await shown(identity.id)).toBeUndefined();
  });
});
