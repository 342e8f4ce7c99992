/** `golem vm stats`: what a VM uses, now or for as long as somebody looks. */
import type { Load } from '../../sdk/vms/stats.ts';
import { statsTable, type StatsOutput } from '../../presenters/stats.ts';
import { isSet, option, type Command, type Context, type Input } from '../command.ts';
import { readDuration } from '../read/duration.ts';
import { findReady, type ReadyEntry } from '../read/reference.ts';

const DEFAULT_INTERVAL = '2s';
/** Two looks make a speed. */
const GLANCE_MILLIS = 1_000;

export const stats: Command<StatsOutput> = {
  name: 'stats',
  usage: 'NAME',
  args: { min: 1, max: 1 },
  options: [
    { name: 'watch', short: 'w', summary: 'until you stop it' },
    { name: 'interval', value: 'TIME', summary: `between two looks (${DEFAULT_INTERVAL})` },
  ],
  examples: ['golem vm stats web', 'golem vm stats web --watch', 'golem vm stats web -o json'],
  live: 'redraw',

  follow(context, input) {
    if (!isSet(input, 'watch')) return undefined;
    const text = option(input, 'interval') ?? DEFAULT_INTERVAL;
    return watched(context, input, Math.max(GLANCE_MILLIS, readDuration('interval', text)));
  },

  async run(context, input) {
    let last: StatsOutput | undefined;
    let looks = 0;
    for await (const output of watched(context, input, GLANCE_MILLIS)) {
      last = output;
      looks += 1;
      if (looks === 2) break;
    }
    if (!last) throw new TypeError('a provider that answers gives numbers');
    return last;
  },
  present: statsTable,
};

async function* watched(
  context: Context,
  { args: [reference = ''] }: Input,
  intervalMillis: number,
): AsyncGenerator<StatsOutput> {
  const { client, signal } = context;
  const entry = await findReady(context, reference);
  const loads = client.stats.follow(entry.provider, entry.vm.id, { intervalMillis, signal });
  for await (const load of loads) yield outputOf(entry, load);
}

function outputOf({ name, vm }: ReadyEntry, load: Load): StatsOutput {
  const { resources } = vm;
  return { id: vm.id, name, cpus: resources.cpus, memoryMiB: resources.memoryMiB, ...load };
}
