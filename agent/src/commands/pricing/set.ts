/** `golem-provider pricing set`: other prices for new VMs; those that run keep theirs. */
import { GolemError } from '@vm-on-golem/shared/errors';
import type { SettingName } from '../../config/settings.ts';
import { bills, pricingLines } from '../../presenters/pricing.ts';
import { changedLines, changeSettings } from '../changing.ts';
import { command } from '../command.ts';
import { currentPrices } from './show.ts';

const PRICES = { cpu: 'price-cpu', memory: 'price-memory', storage: 'price-storage' } as const;

export const set = command({
  usage: '',
  args: { min: 0, max: 0 },
  examples: [
    'golem-provider pricing set --cpu 0.004 --memory 0.002',
    'golem-provider pricing set --storage 0.0002',
  ],
  settings: ['data-dir'],
  options: [
    { name: 'cpu', value: 'USD', help: 'of one CPU for an hour' },
    { name: 'memory', value: 'USD', help: 'of one GiB of memory for an hour' },
    { name: 'storage', value: 'USD', help: 'of one GiB of disk for an hour' },
  ],
  run: async (input, around) => {
    const changes = Object.entries(PRICES).flatMap(([option, name]): [SettingName, string][] => {
      const value = input.options[option];
      return typeof value === 'string' ? [[name, value]] : [];
    });
    if (changes.length === 0) {
      throw new GolemError('usage', 'Which price?', {
        hint: 'Give --cpu, --memory or --storage, in dollars an hour.',
      });
    }
    const changed = await changeSettings(changes, input, around);
    const prices = await currentPrices(input, around);
    return { ...changed, prices, bills: bills(prices) };
  },
  present: (data) => [...changedLines(data), '', ...pricingLines(data.prices)],
});
