/** `golem-provider pricing show`: what new VMs cost here, with an example bill. */
import { GolemError } from '@vm-on-golem/shared/errors';
import type { Prices } from '@vm-on-golem/shared/money';
import { readSetting } from '../../config/config.ts';
import { bills, pricingLines } from '../../presenters/pricing.ts';
import { command, type Input, type Surroundings } from '../command.ts';
import { runningAgent } from '../running.ts';

export const show = command({
  usage: '',
  args: { min: 0, max: 0 },
  examples: ['golem-provider pricing show', 'golem-provider pricing show -o json'],
  settings: ['data-dir'],
  options: [],
  run: async (input, around) => {
    const prices = await currentPrices(input, around);
    return { prices, bills: bills(prices) };
  },
  present: ({ prices }) => pricingLines(prices),
});

/** Of the running agent, or what the next one will take. */
export async function currentPrices(input: Input, around: Surroundings): Promise<Prices> {
  try {
    return (await runningAgent(input, around).status()).prices;
  } catch (error) {
    if (!(error instanceof GolemError) || error.code !== 'not_running') throw error;
    return {
      cpuHour: readSetting('price-cpu', input.flags, around.env),
      memoryGiBHour: readSetting('price-memory', input.flags, around.env),
      storageGiBHour: readSetting('price-storage', input.flags, around.env),
    };
  }
}
