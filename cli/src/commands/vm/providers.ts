/** `golem vm providers`: who has room, and what it would cost. */
import { GolemError } from '@vm-on-golem/shared/errors';
import { PROVIDER_SORTS } from '@vm-on-golem/shared/api';
import type { Candidate, ProviderFilter } from '../../sdk/offers/providers.ts';
import { providerTable, type ProviderOutput } from '../../presenters/providers.ts';
import { isSet, option, type Command, type Input } from '../command.ts';
import { readMaxPrice, readResources, SPEC_OPTIONS } from '../read/spec.ts';

const DEFAULT_LIMIT = 20;
const MAX_LIMIT = 1000;

interface ProvidersOutput {
  readonly providers: readonly ProviderOutput[];
  readonly isFull: boolean;
}

export const providers: Command<ProvidersOutput> = {
  name: 'providers',
  usage: '',
  args: { min: 0, max: 0 },
  options: [
    ...SPEC_OPTIONS,
    { name: 'country', value: 'CC', summary: 'only there: two letters' },
    { name: 'arch', value: 'ARCH', summary: 'x86_64 or aarch64' },
    { name: 'sort', value: 'BY', summary: 'price, newest or capacity' },
    { name: 'limit', value: 'N', summary: `at most so many (${DEFAULT_LIMIT})` },
    { name: 'full', summary: 'whole ids' },
  ],
  examples: [
    'golem vm providers',
    'golem vm providers --size medium --country DE --max-price 0.05',
  ],

  async run({ client, note, signal }, input) {
    const filter = readFilter(input);
    const limit = readLimit(input);
    const found: Candidate[] = [];
    let cursor: string | undefined;
    let forged = 0;
    do {
      const page = await client.providers.page(filter, {
        limit: Math.min(100, limit - found.length),
        signal,
        ...(cursor === undefined ? {} : { cursor }),
      });
      found.push(...page.candidates);
      forged += page.forged;
      cursor = page.next ?? undefined;
    } while (cursor !== undefined && found.length < limit);
    if (forged > 0)
      note(`golem: left out ${forged} offers that are not signed by the provider they name`);
    if (cursor !== undefined) note(`golem: there are more; see them with --limit`);
    return { providers: found.slice(0, limit).map(outputOf), isFull: isSet(input, 'full') };
  },
  json: ({ providers: rows }) => rows,
  present: ({ providers: rows, isFull }) => providerTable(rows, isFull),
};

export function readFilter(input: Input): ProviderFilter {
  const country = option(input, 'country')?.toUpperCase();
  if (country !== undefined && !/^[A-Z]{2}$/.test(country)) {
    throw new GolemError('usage', `'${country}' is no country.`, {
      hint: 'Two letters, such as DE.',
    });
  }
  const arch = oneOf(input, 'arch', ['x86_64', 'aarch64']);
  const sort = oneOf(input, 'sort', PROVIDER_SORTS);
  const maxHourlyPrice = readMaxPrice(input);
  return {
    resources: readResources(input),
    ...(country === undefined ? {} : { country }),
    ...(arch === undefined ? {} : { arch }),
    ...(sort === undefined ? {} : { sort }),
    ...(maxHourlyPrice === undefined ? {} : { maxHourlyPrice }),
  };
}

function oneOf<Word extends string>(
  input: Input,
  name: string,
  words: readonly Word[],
): Word | undefined {
  const text = option(input, name);
  if (text === undefined) return undefined;
  const word = words.find((candidate) => candidate === text);
  if (word !== undefined) return word;
  throw new GolemError('usage', `'${text}' is nothing for --${name}.`, {
    hint: `It takes ${words.join(', ')}.`,
  });
}

function readLimit(input: Input): number {
  const text = option(input, 'limit') ?? String(DEFAULT_LIMIT);
  const limit = Number(text);
  if (/^\d{1,4}$/.test(text) && limit >= 1 && limit <= MAX_LIMIT) return limit;
  throw new GolemError('usage', `--limit takes a number from 1 to ${MAX_LIMIT}.`);
}

function outputOf({ id, offer, country, since, hourlyPrice }: Candidate): ProviderOutput {
  const { name, arch, accelerator, isolation, images, available, capacity } = offer;
  return {
    ...{ id, name, country, arch, accelerator, isolation, images, available, capacity },
    hourlyPriceNanoUsd: hourlyPrice,
    onlineSince: since,
  };
}
