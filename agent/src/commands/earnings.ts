/** `golem-provider earnings`: what VMs have earned, by VM, day or month. */
import { GolemError } from '@vm-on-golem/shared/errors';
import { earningsLines } from '../presenters/earnings.ts';
import { command, type Input } from './command.ts';
import { runningAgent } from './running.ts';

const BY = ['vm', 'day', 'month'] as const;

export const earnings = command({
  usage: '',
  args: { min: 0, max: 0 },
  examples: [
    'golem-provider earnings',
    'golem-provider earnings --by vm',
    'golem-provider earnings --by day --from 2026-11-01 -o json',
  ],
  settings: ['data-dir'],
  options: [
    { name: 'by', value: 'WHAT', help: 'vm, day or month (month)' },
    { name: 'from', value: 'DATE', help: 'from this day of UTC on' },
    { name: 'to', value: 'DATE', help: 'up to this day of UTC, and without it' },
  ],
  run: async (input, around) => {
    const said = input.options['by'] ?? 'month';
    const by = BY.find((candidate) => candidate === said);
    if (!by) throw new GolemError('usage', `--by takes vm, day or month, not '${said}'.`);
    const query = { by, ...day(input, 'from'), ...day(input, 'to') };
    return { ...query, ...(await runningAgent(input, around).earnings(query)) };
  },
  present: ({ by, rows, total }) => earningsLines(by, { rows, total }),
});

/** @throws {GolemError} `usage` */
function day({ options }: Input, name: 'from' | 'to'): { readonly [Name in typeof name]?: string } {
  const said = options[name];
  if (typeof said !== 'string') return {};
  const time = /^\d{4}-\d\d-\d\d$/.test(said) ? new Date(`${said}T00:00:00.000Z`) : undefined;
  // JavaScript takes 31 February for a day in March.
  if (!time || Number.isNaN(time.getTime()) || !time.toISOString().startsWith(said)) {
    throw new GolemError('usage', `--${name} takes a day such as 2026-11-01, not '${said}'.`);
  }
  return { [name]: time.toISOString() };
}
