/** `golem vm providers`: who has room, and what it would cost. */
import { GolemError } from '@vm-on-golem/shared/errors';
import { LIMITS } from '@vm-on-golem/shared/limits';
import { hourlyPrice } from '@vm-on-golem/shared/money';
import { suits, type CandidateFilter } from '../../sdk/offers/candidates.ts';
import { NOTHING, type Candidate } from '../../sdk/offers/providers.ts';
import { providerTable, type ProviderOutput } from '../../presenters/providers.ts';
import { isSet, option, type Command, type Context, type Input } from '../command.ts';
import { oneOf, readFilter, readImage } from '../read/filter.ts';
import { SPEC_OPTIONS } from '../read/spec.ts';

const DEFAULT_LIMIT = 20;
const MAX_LIMIT = 1000;
/** Pages of discovery that are read for one of ours, where it cannot filter by itself. */
const MAX_PAGES = 50;

interface ProvidersOutput {
  readonly providers: readonly ProviderOutput[];
  readonly isFull: boolean;
  /** Online without room, counted where nobody has any. */
  readonly others: number;
}

export const providers: Command<ProvidersOutput> = {
  name: 'providers',
  usage: '',
  args: { min: 0, max: 0 },
  options: [
    ...SPEC_OPTIONS,
    { name: 'country', value: 'CC', summary: 'only there: two letters' },
    { name: 'arch', value: 'ARCH', choices: ['x86_64', 'aarch64'], summary: 'x86_64 or aarch64' },
    { name: 'image', value: 'ID', summary: 'only those who offer it' },
    { name: 'driver', value: 'NAME', summary: 'only those who run VMs by it: qemu or multipass' },
    {
      name: 'sort',
      value: 'BY',
      choices: ['price', 'newest', 'capacity'],
      summary: 'price, newest or capacity',
    },
    { name: 'limit', value: 'N', summary: `at most so many (${DEFAULT_LIMIT})` },
    { name: 'cursor', value: 'TEXT', summary: 'go on where the last page ended' },
    { name: 'all', summary: 'also those that have no room for it now' },
    { name: 'full', summary: 'whole ids' },
  ],
  examples: [
    'golem vm providers',
    'golem vm providers --size medium --country DE --max-price 0.05',
    'golem vm providers --image debian-12 --sort newest --limit 100',
  ],

  async run(context, input) {
    const { note } = context;
    const driver = oneOf(input, 'driver', ['qemu', 'multipass', 'memory']);
    const filter = { ...readFilter(input), image: readImage(input), driver };
    const [limit, cursor] = [readLimit(input), option(input, 'cursor')];
    const found = await read(context, filter, { limit, cursor, isAll: isSet(input, 'all') });
    if (found.forged > 0)
      note(`golem: left out ${found.forged} offers that are not signed by the provider they name`);
    if (found.next !== null) note(`golem: there are more: --cursor ${found.next}`);
    const others = found.candidates.length === 0 ? await countOthers(context, filter) : 0;
    return { providers: found.candidates.map(outputOf), isFull: isSet(input, 'full'), others };
  },
  json: ({ providers: rows }) => rows,
  present: ({ providers: rows, isFull, others }) => providerTable(rows, isFull, others),
};

interface Found {
  readonly candidates: readonly Candidate[];
  readonly forged: number;
  /** Where the next page begins. */
  readonly next: string | null;
}

interface ReadOptions {
  readonly limit: number;
  readonly cursor: string | undefined;
  /** Those without room as well. */
  readonly isAll: boolean;
}

/** Online, and without room, or too dear. At most a page of them is looked at. */
async function countOthers(context: Context, filter: CandidateFilter): Promise<number> {
  const { maxHourlyPrice: _, ...anyPrice } = filter;
  const limit = LIMITS.list.pageMax;
  const found = await read(context, anyPrice, { limit, cursor: undefined, isAll: true });
  return found.candidates.length;
}

/** Never more rows in a page than are still wanted, so that none is lost between two of ours. */
async function read(
  { client, signal }: Context,
  filter: CandidateFilter,
  { limit, cursor: after, isAll }: ReadOptions,
): Promise<Found> {
  // Discovery knows the price of what it is asked for: here, of nothing.
  const { maxHourlyPrice = Infinity, ...anyPrice } = filter;
  const asked = isAll ? { ...anyPrice, resources: NOTHING } : filter;
  const candidates: Candidate[] = [];
  let forged = 0;
  let cursor = after;
  for (let pages = 0; ;) {
    const page = await client.providers.page(asked, {
      limit: Math.min(LIMITS.list.pageMax, limit - candidates.length),
      ...{ cursor, signal },
    });
    const priced = page.candidates.map((candidate) => ({
      ...candidate,
      hourlyPrice: hourlyPrice(candidate.offer.prices, filter.resources),
    }));
    candidates.push(
      ...priced.filter((one) => suits(one.offer, filter) && one.hourlyPrice <= maxHourlyPrice),
    );
    forged += page.forged;
    pages += 1;
    if (page.next === null || candidates.length >= limit || pages >= MAX_PAGES) {
      return { candidates, forged, next: page.next };
    }
    cursor = page.next;
  }
}

function readLimit(input: Input): number {
  const text = option(input, 'limit') ?? String(DEFAULT_LIMIT);
  const limit = Number(text);
  if (/^\d{1,4}$/.test(text) && limit >= 1 && limit <= MAX_LIMIT) return limit;
  throw new GolemError('usage', `--limit takes a number from 1 to ${MAX_LIMIT}.`);
}

function outputOf({ id, offer, country, since, hourlyPrice: price }: Candidate): ProviderOutput {
  const { name, driver, arch, accelerator, isolation, images, available, capacity } = offer;
  const { capabilities } = offer;
  return {
    ...{ id, name, country, driver, arch, accelerator, isolation, images, capabilities },
    ...{ available, capacity },
    hourlyPriceNanoUsd: price,
    onlineSince: since,
  };
}
