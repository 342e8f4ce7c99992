/** What is remembered of who has VMs where: by answers alone, for the key alone, and not for ever. */
import { env, exports } from 'cloudflare:workers';
import { myProvidersSchema, paths } from '@vm-on-golem/shared/api';
import { generateIdentity, type Identity } from '@vm-on-golem/shared/keys';
import { signSuccession } from '@vm-on-golem/shared/succession';
import { describe, expect, it, vi } from 'vitest';
import { listRentals, moveRental, saveRental, type Rental } from '../src/db/rentals.ts';
import { DISCOVERY_LIMITS } from '../src/limits.ts';
import { codeOf, ORIGIN, ScriptedAgent, send, signed } from './parties.ts';

const SSH_KEY = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFrfc5NrmZWP4JzxMPIQnR8bMg27oE6L4Y4dSV4b4zrV';

const requestorOf = () => generateIdentity('requestor');

async function ask(identity: Identity, query = ''): Promise<Response> {
  const path = paths.myProviders(identity.id) + query;
  return send(await signed(identity, { method: 'GET', path }));
}

async function providersOf(identity: Identity): Promise<string[]> {
  const page = myProvidersSchema.parse(await (await ask(identity)).json());
  return page.providers.map(({ provider }) => provider);
}

/** Sends a command that `agent` answers with `status`. */
async function command(
  agent: ScriptedAgent,
  identity: Identity,
  path: string,
  status: number,
  body: unknown = {},
): Promise<void> {
  const request = { method: 'POST', path, body: JSON.stringify(body), idempotencyKey: 'key-of-it' };
  const answer = send(await signed(identity, request));
  await agent.answer(await agent.expect('request'), status);
  expect((await answer).status).toBe(status);
}

describe('a requestor', () => {
  it('finds the providers that have given it a VM, the latest first', async () => {
    const requestor = await requestorOf();
    const [first, second, third] = [
      await ScriptedAgent.online(),
      await ScriptedAgent.online(),
      await ScriptedAgent.online(),
    ];
    expect(await providersOf(requestor)).toEqual([]);
    await command(first, requestor, paths.vms(first.identity.id), 202);
    await vi.waitFor(async () => {
      expect(await providersOf(requestor)).toEqual([first.identity.id]);
    });
    await command(second, requestor, paths.vms(second.identity.id), 202);
    await command(third, requestor, paths.vms(third.identity.id), 409);
    await vi.waitFor(async () => {
      expect(await providersOf(requestor)).toEqual([second.identity.id, first.identity.id]);
    });
    await command(first, requestor, paths.vmAction(first.identity.id, 'web', 'renew'), 200);
    await vi.waitFor(async () => {
      expect(await providersOf(requestor)).toEqual([first.identity.id, second.identity.id]);
    });
  });

  it('finds the provider of a VM that was shared with it, and so does not who shared it', async () => {
    const [owner, friend, agent] = [
      await requestorOf(),
      await requestorOf(),
      await ScriptedAgent.online(),
    ];
    const grants = paths.vmPart(agent.identity.id, 'web', 'grants');
    const grant = { requestor: friend.id, sshKey: SSH_KEY };
    await command(agent, owner, grants, 403, grant);
    await command(agent, owner, grants, 200, { ...grant, requestor: 'gr_nonsense' });
    await command(agent, owner, grants, 200, grant);
    await vi.waitFor(async () => {
      expect(await providersOf(friend)).toEqual([agent.identity.id]);
    });
    expect(await providersOf(owner)).toEqual([]);
  });

  it('hands on what is remembered of it with its VMs', async () => {
    const [old, next, agent] = [
      await requestorOf(),
      await requestorOf(),
      await ScriptedAgent.online(),
    ];
    const { id } = agent.identity;
    await saveRental(env.DB, { requestor: old.id, provider: id, source: 'own', seenAt: 1 });
    await saveRental(env.DB, {
      ...{ requestor: old.id, provider: `gp_${'b'.repeat(26)}`, source: 'own', seenAt: 1 },
    });
    const body = await signSuccession(id, old.id, next, Date.now());
    await command(agent, old, paths.succession(id), 403, body);
    expect(await providersOf(next)).toEqual([]);
    await command(agent, old, paths.succession(id), 200, body);
    await vi.waitFor(async () => {
      expect(await providersOf(next)).toEqual([id]);
    });
    expect(await providersOf(old)).toEqual([`gp_${'b'.repeat(26)}`]);
  });

  it('is not said to have followed somebody without having agreed', async () => {
    const [old, next, other, agent] = [
      await requestorOf(),
      await requestorOf(),
      await requestorOf(),
      await ScriptedAgent.online(),
    ];
    const { id } = agent.identity;
    const honest = await signSuccession(id, old.id, next, Date.now());
    const forged = { ...honest, publicKey: other.publicKey };
    // The provider plays along.
    await command(agent, old, paths.succession(id), 200, forged);
    await command(agent, old, paths.succession(id), 200, honest);
    await vi.waitFor(async () => {
      expect(await providersOf(next)).toEqual([id]);
    });
    expect(await providersOf(other)).toEqual([]);
  });

  it('is told nothing of others, and nobody is told without a signature', async () => {
    const [requestor, other] = [await requestorOf(), await requestorOf()];
    const path = paths.myProviders(requestor.id);
    const response = await send(await signed(other, { method: 'GET', path }));
    expect(response.status).toBe(403);
    expect(await codeOf(response)).toBe('forbidden');
    expect((await exports.default.fetch(ORIGIN + path)).status).toBe(401);
  });

  it('pages through all of it, each once', async () => {
    const requestor = await requestorOf();
    const wanted = Array.from(
      { length: 7 },
      (_, at) => `gp_${'abcdefg'.charAt(at).repeat(26)}`,
    ).reverse();
    for (const [at, provider] of wanted.entries()) {
      // Some at the same moment.
      await saveRental(env.DB, {
        ...{ requestor: requestor.id, provider, source: 'own', seenAt: 1_000 - (at >> 1) },
      });
    }
    const found: string[] = [];
    let query = '?limit=2';
    for (;;) {
      const page = myProvidersSchema.parse(await (await ask(requestor, query)).json());
      found.push(...page.providers.map(({ provider }) => provider));
      if (page.next === null) break;
      query = `?limit=2&cursor=${page.next}`;
    }
    expect(found).toEqual([...wanted].sort(byTimeAndId(wanted)));
    expect(new Set(found).size).toBe(7);

    const strange = await ask(await requestorOf(), query.replace('?limit=2&', '?'));
    expect(await codeOf(strange)).toBe('invalid_request');
    expect(await codeOf(await ask(requestor, '?limit=101'))).toBe('invalid_request');
    expect(await codeOf(await ask(requestor, '?color=blue'))).toBe('invalid_request');
  });
});

function byTimeAndId(wanted: readonly string[]) {
  const turn = (provider: string) => wanted.indexOf(provider) >> 1;
  return (a: string, b: string) => turn(a) - turn(b) || (a < b ? 1 : -1);
}

describe('what is remembered', () => {
  it('is never older than it was', async () => {
    const { id: requestor } = await requestorOf();
    const provider = `gp_${'c'.repeat(26)}`;
    for (const seenAt of [5, 9, 7]) {
      await saveRental(env.DB, { requestor, provider, source: 'own', seenAt });
    }
    expect((await listRentals(env.DB, requestor, {})).providers).toEqual([
      { provider, seenAt: new Date(9).toISOString() },
    ]);
    await moveRental(env.DB, requestor, { requestor, provider, source: 'own', seenAt: 1 });
    expect((await listRentals(env.DB, requestor, {})).providers).toHaveLength(1);
  });

  const BOUNDS = [
    ['requestor', 'perRequestor', 'provider'],
    ['provider', 'perProvider', 'requestor'],
  ] as const;
  const CASES = (['own', 'granted'] as const).flatMap((source) =>
    BOUNDS.map((bound) => [source, ...bound] as const),
  );

  it.each(CASES)('as %s of one %s is bounded, and costs others nothing', async (...which) => {
    const [source, one, bound, many] = which;
    const ours = `${source}-${one}`;
    const limit = DISCOVERY_LIMITS.rentals[source][bound];
    const others = [
      { [one]: `other-${ours}`, [many]: `other-${ours}`, source, seenAt: 0 },
      // The same requestor or provider, from the other source, and older than all that comes.
      { [one]: ours, [many]: 'kept', source: otherOf(source), seenAt: 0 },
    ].map((row) => row as unknown as Rental);
    for (const row of others) await saveRental(env.DB, row);
    const insert = env.DB.prepare(
      `INSERT INTO rentals (${one}, ${many}, source, seen_at) VALUES (?1, ?2, ?3, ?4)`,
    );
    const rows = Array.from({ length: limit + 5 }, (_, at) =>
      insert.bind(ours, `${at}`, source, at),
    );
    await env.DB.batch(rows);
    await saveRental(env.DB, {
      ...{ requestor: ours, provider: ours, source, seenAt: limit + 5 },
    });
    const { results } = await env.DB.prepare(
      `SELECT ${many} AS of, seen_at FROM rentals WHERE ${one} = ? AND source = ? ORDER BY seen_at DESC`,
    )
      .bind(ours, source)
      .all();
    expect(results).toHaveLength(limit);
    expect(results[0]).toEqual({ of: ours, seen_at: limit + 5 });
    expect(results.at(-1)).toEqual({ of: '6', seen_at: 6 });
    for (const { requestor, provider } of others) {
      expect(await rowOf(requestor, provider)).toEqual({ requestor, provider });
    }
  });

  it('is shown with what was ordered first, and stays so when a grant comes after it', async () => {
    const { id: requestor } = await requestorOf();
    const [ordered, granted] = ['o', 'g'].map((letter) => `gp_${letter.repeat(26)}`) as [
      string,
      string,
    ];
    await saveRental(env.DB, { requestor, provider: ordered, source: 'own', seenAt: 1 });
    await saveRental(env.DB, { requestor, provider: granted, source: 'granted', seenAt: 9 });
    const page = await listRentals(env.DB, requestor, { limit: 1 });
    expect(page.providers.map(({ provider }) => provider)).toEqual([ordered]);
    const rest = await listRentals(env.DB, requestor, { limit: 1, cursor: page.next ?? '' });
    expect(rest.providers.map(({ provider }) => provider)).toEqual([granted]);

    await saveRental(env.DB, { requestor, provider: ordered, source: 'granted', seenAt: 2 });
    const all = await listRentals(env.DB, requestor, {});
    expect(all.providers.map(({ provider }) => provider)).toEqual([ordered, granted]);
  });
});

const otherOf = (source: Rental['source']) => (source === 'own' ? 'granted' : 'own');

async function rowOf(requestor: string, provider: string) {
  return env.DB.prepare(
    'SELECT requestor, provider FROM rentals WHERE requestor = ? AND provider = ?',
  )
    .bind(requestor, provider)
    .first();
}
