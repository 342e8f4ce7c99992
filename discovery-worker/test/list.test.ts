import { env, exports } from 'cloudflare:workers';
import {
  providersPageSchema,
  providersQuerySchema,
  type ProvidersPage,
  type ProvidersQuery,
} from '@vm-on-golem/shared/api';
import { generateIdentity } from '@vm-on-golem/shared/keys';
import { hourlyPrice } from '@vm-on-golem/shared/money';
import { openOffer, signOffer, type Offer } from '@vm-on-golem/shared/offer';
import { beforeEach, describe, expect, it } from 'vitest';
import { listProviders, saveListings, type Listing } from '../src/db/providers.ts';
import { codeOf, offerOf, ORIGIN } from './parties.ts';

async function listing(change: Partial<Listing> & { offered?: Partial<Offer> } = {}) {
  const identity = await generateIdentity('provider');
  const { offered, ...rest } = change;
  return {
    provider: identity.id,
    epoch: 1,
    offer: await signOffer(offerOf(identity, offered), identity),
    country: 'DE',
    asn: 64_500,
    online: true,
    since: 1_700_000_000_000,
    ...rest,
  };
}

const get = (query: string) => exports.default.fetch(`${ORIGIN}/v1/providers${query}`);

async function list(query = ''): Promise<ProvidersPage> {
  const response = await get(query);
  expect(response.status).toBe(200);
  return providersPageSchema.parse(await response.json());
}

const ids = ({ providers }: ProvidersPage) => providers.map(({ id }) => id);

const shownFor = async (query: string) => ids(await list(query)).sort();
const idsOf = (listings: readonly Listing[]) => listings.map(({ provider }) => provider).sort();

/** The statement that a query becomes, explained by the database itself. */
async function planOf(query: ProvidersQuery): Promise<string> {
  let plan: Promise<D1Result<{ detail: string }>> | undefined;
  const explaining = {
    prepare: (sql: string) => ({
      bind: (...values: unknown[]) => {
        plan = env.DB.prepare(`EXPLAIN QUERY PLAN ${sql}`)
          .bind(...values)
          .all();
        return env.DB.prepare(sql).bind(...values);
      },
    }),
  };
  await listProviders(explaining as unknown as D1Database, query);
  return (await plan)?.results.map(({ detail }) => detail).join('\n') ?? '';
}

beforeEach(async () => {
  await env.DB.prepare('DELETE FROM providers').run();
});

describe('the list', () => {
  it('shows the signed offer, where it came from and the price of the asked spec', async () => {
    const one = await listing();
    await saveListings(env.DB, [one]);
    const { providers, next } = await list('?cpus=3&memoryMiB=1500&storageGiB=7');
    expect(next).toBeNull();
    const [shown] = providers;
    if (!shown) throw new Error('nothing is shown');
    const offer = await openOffer(shown.offer, one.provider);
    const spec = { cpus: 3, memoryMiB: 1500, storageGiB: 7 };
    expect(shown).toEqual({
      id: one.provider,
      offer: one.offer,
      country: 'DE',
      asn: 64_500,
      online: true,
      since: '2023-11-14T22:13:20.000Z',
      hourlyPrice: hourlyPrice(offer.prices, spec),
    });
  });

  it('shows what a newer provider says word for word, and finds it by what is known', async () => {
    const identity = await generateIdentity('provider');
    const newer = {
      ...offerOf(identity),
      driver: 'firecracker',
      capabilities: ['gpu'],
      mood: 'good',
    };
    const offer = await signOffer(newer as unknown as Offer, identity);
    const one = { ...(await listing()), provider: identity.id, offer };
    await saveListings(env.DB, [one]);
    expect((await list('?arch=x86_64')).providers).toMatchObject([{ id: identity.id, offer }]);
    expect(await openOffer(offer, identity.id)).toMatchObject({
      ...{ driver: 'unknown', capabilities: [], arch: 'x86_64' },
    });
  });

  it('holds only those that are online, take VMs and have room for one', async () => {
    const good = await listing();
    await saveListings(env.DB, [
      good,
      await listing({ online: false }),
      await listing({ offered: { accepting: false } }),
      await listing({
        offered: { available: { cpus: 8, memoryMiB: 9999, storageGiB: 99, vms: 0 } },
      }),
    ]);
    expect(await shownFor('')).toEqual(idsOf([good]));
  });

  it('filters by what is available now, not by capacity', async () => {
    const small = await listing({
      offered: { available: { cpus: 2, memoryMiB: 2048, storageGiB: 20, vms: 1 } },
    });
    const large = await listing();
    await saveListings(env.DB, [small, large]);
    expect(await shownFor('?cpus=2&memoryMiB=2048&storageGiB=20')).toEqual(idsOf([small, large]));
    expect(await shownFor('?cpus=3')).toEqual(idsOf([large]));
    expect(await shownFor('?memoryMiB=2049')).toEqual(idsOf([large]));
    expect(await shownFor('?storageGiB=21')).toEqual(idsOf([large]));
  });

  it('filters by country, architecture and the price of the asked spec', async () => {
    const german = await listing();
    const swiss = await listing({ country: 'CH', offered: { arch: 'aarch64' } });
    const prices = { cpuHour: 5, memoryGiBHour: 7, storageGiBHour: 1 };
    const cheap = await listing({ country: 'unknown', offered: { prices } });
    await saveListings(env.DB, [german, swiss, cheap]);
    expect(await shownFor('?country=CH')).toEqual(idsOf([swiss]));
    expect(await shownFor('?country=unknown')).toEqual(idsOf([cheap]));
    expect(await shownFor('?arch=x86_64')).toEqual(idsOf([german, cheap]));
    const exact = hourlyPrice(prices, { cpus: 2, memoryMiB: 1025, storageGiB: 10 });
    expect(await shownFor(`?cpus=2&memoryMiB=1025&maxHourlyPrice=${exact}`)).toEqual(
      idsOf([cheap]),
    );
    expect(await shownFor(`?cpus=2&memoryMiB=1025&maxHourlyPrice=${exact - 1}`)).toEqual(idsOf([]));
  });
});

describe('the order', () => {
  const priced = (cpuHour: number, memoryGiBHour: number) =>
    listing({ offered: { prices: { cpuHour, memoryGiBHour, storageGiBHour: 0 } } });

  it('is by price, that of the smallest standard size that contains the spec', async () => {
    const cheapCpu = await priced(1, 20);
    const cheapMemory = await priced(30, 1);
    await saveListings(env.DB, [cheapMemory, cheapCpu]);
    const [cpuFirst, memoryFirst] = [
      [cheapCpu.provider, cheapMemory.provider],
      [cheapMemory.provider, cheapCpu.provider],
    ];
    // small: 1 + 20 against 30 + 1; medium: 2 + 80 against 60 + 4.
    expect(ids(await list('?sort=price'))).toEqual(cpuFirst);
    expect(ids(await list('?cpus=2'))).toEqual(memoryFirst);
    // For this very spec the first is dearer; it is still sorted as a medium one.
    const odd = await list('?cpus=2&memoryMiB=512');
    expect(ids(odd)).toEqual(memoryFirst);
    expect(odd.providers.map(({ hourlyPrice }) => hourlyPrice)).toEqual([61, 12]);
  });

  it('is by first appearance or by capacity, when asked', async () => {
    const old = await listing({ since: 1_000 });
    const young = await listing({
      since: 2_000,
      offered: { available: { cpus: 2, memoryMiB: 4096, storageGiB: 20, vms: 1 } },
    });
    await saveListings(env.DB, [old, young]);
    // Coming back does not make it new.
    await saveListings(env.DB, [{ ...old, epoch: 2, since: 9_000 }]);
    expect(ids(await list('?sort=newest'))).toEqual([young.provider, old.provider]);
    expect(ids(await list('?sort=capacity'))).toEqual([old.provider, young.provider]);
  });

  it.each(['price', 'newest', 'capacity'])('by %s pages through all, each once', async (sort) => {
    const listings = await Promise.all(
      Array.from({ length: 23 }, (_, n) =>
        listing({
          since: 1_000 + (n % 3),
          offered: {
            prices: { cpuHour: n % 4, memoryGiBHour: 0, storageGiBHour: 0 },
            available: {
              cpus: 1 + (n % 3),
              memoryMiB: 2048 * (1 + (n % 2)),
              storageGiB: 99,
              vms: 1,
            },
          },
        }),
      ),
    );
    await saveListings(env.DB, listings);
    const whole = ids(await list(`?sort=${sort}&limit=100`));
    const paged: string[] = [];
    let next: string | null = '';
    while (next !== null) {
      const page: ProvidersPage = await list(
        `?sort=${sort}&limit=5${next === '' ? '' : `&cursor=${next}`}`,
      );
      expect(page.providers.length).toBeLessThanOrEqual(5);
      paged.push(...ids(page));
      next = page.next;
    }
    expect(paged).toEqual(whole);
    expect(new Set(paged).size).toBe(listings.length);
  });

  it.each([
    ['price_small', ''],
    ['price_medium', 'cpus=2&country=DE'],
    ['price_large', 'memoryMiB=5000&maxHourlyPrice=9000000'],
    ['price_xlarge', 'cpus=8'],
    ['first_seen', 'sort=newest&arch=x86_64'],
    ['capacity', 'sort=capacity'],
  ])('walks the index by %s, from the cursor on, and sorts nothing', async (index, query) => {
    await saveListings(env.DB, await Promise.all([listing(), listing()]));
    const parsed = providersQuerySchema.parse(Object.fromEntries(new URLSearchParams(query)));
    const { next } = await list(`?${query}&limit=1`);
    if (next === null) throw new Error('there must be more');
    for (const cursor of [undefined, next]) {
      const plan = await planOf({ ...parsed, cursor });
      expect(plan).toContain(`USING INDEX providers_by_${index}`);
      expect(plan).not.toContain('TEMP B-TREE');
      // With a cursor it is a search from there, not a scan from the start.
      if (cursor !== undefined) expect(plan).toMatch(/SEARCH.*id\)[<>]\(/);
    }
  });
});

describe('bad input', () => {
  it.each([
    '?colour=red',
    '?cpus=1&cpus=2',
    '?cpus=-1',
    '?cpus=1.5',
    '?cpus=1e3',
    '?cpus=',
    '?cpus=99999',
    '?country=de',
    '?arch=mips',
    '?sort=beauty',
    '?limit=101',
    '?maxHourlyPrice=99999999999999999',
    '?cursor=abc',
    '?cursor=%00',
  ])('is refused: %s', async (query) => {
    const response = await get(query);
    expect(response.status).toBe(400);
    expect(await codeOf(response)).toBe('invalid_request');
  });

  it('in a cursor is refused: altered, or of another list', async () => {
    await saveListings(env.DB, await Promise.all([listing(), listing(), listing()]));
    const { next } = await list('?limit=1');
    if (next === null) throw new Error('there must be more');
    expect(ids(await list(`?limit=2&cursor=${next}`))).toHaveLength(2);
    for (const query of [
      `?sort=newest&cursor=${next}`,
      `?cpus=2&cursor=${next}`,
      `?country=DE&cursor=${next}`,
    ]) {
      expect(await codeOf(await get(query))).toBe('invalid_request');
    }
    for (let at = 0; at < next.length; at += 7) {
      const altered = next.slice(0, at) + (next[at] === 'A' ? 'B' : 'A') + next.slice(at + 1);
      expect(await codeOf(await get(`?cursor=${altered}`))).toBe('invalid_request');
    }
  });

  it('in a URL is refused past its bound', async () => {
    const response = await get(`?cursor=${'x'.repeat(5000)}`);
    expect(response.status).toBe(413);
  });
});

describe('one provider', () => {
  it('is shown when it is offline as well', async () => {
    const one = await listing({ online: false });
    await saveListings(env.DB, [one]);
    const response = await get(`/${one.provider}?cpus=2`);
    expect(await response.json()).toMatchObject({ id: one.provider, online: false });
  });

  it('is not found when nobody knows it, and refused when it cannot be', async () => {
    const { id } = await generateIdentity('provider');
    expect(await codeOf(await get(`/${id}`))).toBe('provider_not_found');
    expect(await codeOf(await get('/gp_short'))).toBe('invalid_request');
    expect(await codeOf(await get(`/${id}?country=DE`))).toBe('invalid_request');
  });

  it('is never overwritten by an older connection', async () => {
    const newer = await listing({ epoch: 5 });
    await saveListings(env.DB, [newer]);
    await saveListings(env.DB, [{ ...newer, epoch: 4, online: false }]);
    expect(await (await get(`/${newer.provider}`)).json()).toMatchObject({ online: true });
    await saveListings(env.DB, [{ ...newer, epoch: 5, online: false }]);
    expect(await (await get(`/${newer.provider}`)).json()).toMatchObject({ online: false });
  });
});

describe('every answer', () => {
  it('has the one shape for errors and names the request', async () => {
    const response = await exports.default.fetch(`${ORIGIN}/nowhere`, {
      headers: { 'golem-request-id': 'req_mine' },
    });
    expect(response.status).toBe(404);
    const id = response.headers.get('golem-request-id');
    expect(id).toMatch(/^req_[a-z2-7]{20}$/);
    expect(await response.json()).toEqual({
      error: {
        code: 'not_found',
        message: 'There is nothing at GET /nowhere.',
        retryable: false,
        requestId: id,
      },
    });
    const health = await exports.default.fetch(`${ORIGIN}/healthz`);
    expect(await health.json()).toEqual({
      ok: true,
      version: expect.stringMatching(/^\d+\.\d+\.\d+/),
      protocol: 1,
      features: ['my-providers', 'succession'],
    });
    expect(health.headers.get('golem-request-id')).toMatch(/^req_/);
  });
});
