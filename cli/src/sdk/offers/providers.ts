/** Providers, as far as they can be believed: by the offers that they signed. */
import { paths, providersPageSchema, providerSchema, type Provider } from '@vm-on-golem/shared/api';
import { GolemError } from '@vm-on-golem/shared/errors';
import { providerIdSchema } from '@vm-on-golem/shared/ids';
import { hourlyPrice } from '@vm-on-golem/shared/money';
import { openOffer, type Offer } from '@vm-on-golem/shared/offer';
import type { Resources } from '@vm-on-golem/shared/vm';
import type { CallOptions } from '../ports.ts';
import { within } from '../wire/deadline.ts';
import type { Transport } from '../wire/transport.ts';

export interface ProviderFilter {
  readonly resources: Resources;
  /** Two capital letters, by where the provider connects from. */
  readonly country?: string | undefined;
  readonly arch?: 'x86_64' | 'aarch64' | undefined;
  /** nano-USD an hour. */
  readonly maxHourlyPrice?: number | undefined;
  readonly sort?: 'price' | 'newest' | 'capacity' | undefined;
}

export interface Candidate {
  readonly id: string;
  /** Its signature was checked, and it is this provider's. */
  readonly offer: Offer;
  /** What discovery says; the provider has no say in it. */
  readonly country: string;
  readonly online: boolean;
  readonly since: string;
  /** nano-USD for the resources that were asked for, by the signed offer. */
  readonly hourlyPrice: number;
}

export interface CandidatesPage {
  readonly candidates: readonly Candidate[];
  /** Rows that were left out because their offer is not signed by the provider they name. */
  readonly forged: number;
  readonly next: string | null;
}

export interface PageOptions extends CallOptions {
  /** 1 to 100. */
  readonly limit: number;
  /** `next` of the page before, asked with the same filter. */
  readonly cursor?: string | undefined;
}

/** Enough of a provider's id to name it: 60 bits that somebody would have to hit. */
const ID_PREFIX_CHARS = 12;
/** Even those have room for it that have none for a VM. */
export const NOTHING: Resources = { cpus: 0, memoryMiB: 0, storageGiB: 0 };
/** Pages that a prefix is looked for on. */
const SEARCH_PAGES = 20;

export class Providers {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  async page(
    filter: ProviderFilter,
    { limit, cursor, ...options }: PageOptions,
  ): Promise<CandidatesPage> {
    const query = new URLSearchParams({ limit: String(limit), ...wordsOf(filter) });
    if (cursor !== undefined) query.set('cursor', cursor);
    const path = `${paths.providers}?${query.toString()}`;
    const page = await this.#transport.ask(providersPageSchema, path, options);
    const checked = await Promise.all(page.providers.map((row) => check(row, filter.resources)));
    const candidates = checked.filter((candidate) => candidate !== undefined);
    return { candidates, forged: checked.length - candidates.length, next: page.next };
  }

  /** All that match, page by page. @param options the deadline is that of each page */
  async *all(filter: ProviderFilter, options: CallOptions): AsyncGenerator<Candidate> {
    let cursor: string | undefined;
    do {
      const page = await this.page(filter, { limit: 100, cursor, ...options });
      yield* page.candidates;
      cursor = page.next ?? undefined;
    } while (cursor !== undefined);
  }

  /** @throws {GolemError} `provider_not_found`, or `bad_signature` for an offer that is not its own */
  async get(id: string, resources: Resources, options: CallOptions): Promise<Candidate> {
    const row = await this.#transport.ask(providerSchema, paths.provider(id), options);
    return candidateOf(row, resources, await openOffer(row.offer, id));
  }

  /** Whether discovery has a connection to it, and since when, or since when not. ISO 8601. */
  async presence(
    id: string,
    options: CallOptions,
  ): Promise<{ readonly online: boolean; readonly since: string }> {
    return this.#transport.ask(providerSchema, paths.provider(id), options);
  }

  /** @param text an id, or a prefix of one that no other provider online has */
  async resolve(text: string, options: CallOptions): Promise<string> {
    if (providerIdSchema.safeParse(text).success) return text;
    if (!/^gp_[a-z2-7]+$/.test(text) || text.length < ID_PREFIX_CHARS) {
      throw new GolemError('usage', `'${text}' is not the id of a provider.`, {
        hint: `Names are chosen by providers, and anybody may have the same: give at least ${ID_PREFIX_CHARS} characters of an id that 'golem vm providers' shows.`,
      });
    }
    const [id, another] = await within(options, (signal) => this.#beginningWith(text, signal));
    if (id === undefined)
      throw new GolemError(
        'provider_not_found',
        `No provider that takes VMs begins with ${text}.`,
        {
          hint: 'One that is full, or offline, is found by its whole id.',
        },
      );
    if (another !== undefined)
      throw new GolemError('usage', `Several providers begin with ${text}.`);
    return id;
  }

  async #beginningWith(text: string, signal: AbortSignal): Promise<Set<string>> {
    const found = new Set<string>();
    let cursor: string | null = null;
    for (let pages = 0; pages < SEARCH_PAGES; pages += 1) {
      const query = new URLSearchParams({ limit: '100', ...wordsOf({ resources: NOTHING }) });
      if (cursor !== null) query.set('cursor', cursor);
      const path = `${paths.providers}?${query.toString()}`;
      const page = await this.#transport.ask(providersPageSchema, path, { signal });
      for (const { id } of page.providers) if (id.startsWith(text)) found.add(id);
      cursor = page.next;
      if (cursor === null) break;
    }
    return found;
  }
}

/** Whatever else is in the filter is not discovery's to know. */
function wordsOf({
  resources: { cpus, memoryMiB, storageGiB },
  country,
  arch,
  maxHourlyPrice,
  sort,
}: ProviderFilter): Record<string, string> {
  const words = { cpus, memoryMiB, storageGiB, country, arch, maxHourlyPrice, sort };
  const said = Object.entries(words).filter(([, value]) => value !== undefined);
  return Object.fromEntries(said.map(([name, value]) => [name, String(value)]));
}

async function check(row: Provider, resources: Resources): Promise<Candidate | undefined> {
  try {
    return candidateOf(row, resources, await openOffer(row.offer, row.id));
  } catch (error) {
    if (error instanceof GolemError) return undefined;
    throw error;
  }
}

function candidateOf(row: Provider, resources: Resources, offer: Offer): Candidate {
  return {
    id: row.id,
    offer,
    country: row.country,
    online: row.online,
    since: row.since,
    hourlyPrice: hourlyPrice(offer.prices, resources),
  };
}
