/** `golem vm estimate`: what a VM would cost, before it is rented. */
import { noMatch, type CandidateFilter } from '../../sdk/offers/candidates.ts';
import { estimateTable, type EstimateOutput } from '../../presenters/costs.ts';
import { option, type Command } from '../command.ts';
import { readDuration } from '../read/duration.ts';
import { readFilter, readImage } from '../read/filter.ts';
import { readCount } from '../read/range.ts';
import { SPEC_OPTIONS } from '../read/spec.ts';

const DEFAULT_TIME = '1d';
const DEFAULT_LIMIT = 5;

export const estimate: Command<EstimateOutput[]> = {
  name: 'estimate',
  usage: '',
  args: { min: 0, max: 0 },
  options: [
    ...SPEC_OPTIONS,
    { name: 'for', value: 'TIME', summary: `how long it is to run (${DEFAULT_TIME})` },
    { name: 'provider', value: 'ID', summary: 'only this one' },
    { name: 'country', value: 'CC', summary: 'only there: two letters' },
    { name: 'arch', value: 'ARCH', summary: 'x86_64 or aarch64' },
    { name: 'image', value: 'ID', summary: 'only those who offer it' },
    { name: 'limit', value: 'N', summary: `the cheapest so many (${DEFAULT_LIMIT})` },
  ],
  examples: [
    'golem vm estimate --size large --for 8h',
    'golem vm estimate --cpu 2 --for 30d -o json',
  ],

  async run({ client, signal }, input) {
    const seconds = readDuration('for', option(input, 'for') ?? DEFAULT_TIME) / 1000;
    const limit = readCount('limit', option(input, 'limit') ?? String(DEFAULT_LIMIT), 100);
    const filter: CandidateFilter = {
      ...readFilter(input),
      provider: option(input, 'provider'),
      image: readImage(input),
    };
    const estimates: EstimateOutput[] = [];
    for await (const { id, offer, country, hourlyPrice } of client.candidates(filter, { signal })) {
      estimates.push({
        provider: id,
        ...{ name: offer.name, country, ...filter.resources, seconds },
        hourlyPriceNanoUsd: hourlyPrice,
        totalNanoUsd: Math.ceil((hourlyPrice * seconds) / 3600),
      });
      if (estimates.length >= limit) break;
    }
    if (estimates.length === 0) throw await noMatch(client.providers, filter, { signal });
    return estimates;
  },
  present: estimateTable,
};
