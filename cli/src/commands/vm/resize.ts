/** `golem vm resize`: gives a VM another size, at the price that its provider asks now. */
import { GolemError } from '@vm-on-golem/shared/errors';
import type { Offer } from '@vm-on-golem/shared/offer';
import type { Resources } from '@vm-on-golem/shared/vm';
import { memory, perHour } from '../../presenters/units.ts';
import { vmDetails, type VmOutput } from '../../presenters/vms.ts';
import { isSet, type Command, type Context, type Input } from '../command.ts';
import { findReady, type ReadyEntry } from '../read/reference.ts';
import { readMaxPrice, readResources, SPEC_OPTIONS } from '../read/spec.ts';
import { agree } from '../work/agree.ts';
import { vmOutput } from '../work/output.ts';
import { atRest, checkRest, REST_OPTIONS } from '../work/rest.ts';

export const resize: Command<VmOutput> = {
  name: 'resize',
  usage: 'NAME',
  args: { min: 1, max: 1 },
  options: [...SPEC_OPTIONS, ...REST_OPTIONS],
  examples: [
    'golem vm resize web --memory 4G --stop',
    'golem vm resize web --size large --max-price 0.05',
  ],

  async run(context, input) {
    const entry = await findReady(context, input.args[0] ?? '');
    const { client, book, signal, note } = context;
    const { vm } = await client.look(entry, { rentals: book, signal });
    const now = vm?.resources ?? entry.vm.resources;
    const resources = readResources(input, now);
    if (resources.storageGiB < now.storageGiB) {
      throw new GolemError('usage', `Its disk has ${now.storageGiB}G, and disks only grow.`);
    }
    const isSame = (['cpus', 'memoryMiB', 'storageGiB'] as const).every(
      (name) => resources[name] === now[name],
    );
    if (isSame) {
      note(`${entry.name}: has this size already`);
      return vmOutput(entry);
    }
    await checkRest(context, input, entry, 'it cannot be resized');
    const { hourlyPrice, offer } = await client.providers.get(entry.provider, resources, {
      signal,
    });
    checkRoom(offer, now, resources);
    const maxHourlyPrice = await agreed(context, input, entry, hourlyPrice);
    const resized = await atRest(context, input, entry, {
      ...{ what: 'resizing', done: 'resized', command: { resize: { resources, maxHourlyPrice } } },
    });
    note(`${entry.name}: costs ${perHour(resized.vm?.hourlyPrice ?? hourlyPrice)} from now on`);
    return vmOutput(resized);
  },
  present: (vm) => ({ ...vmDetails(vm), facts: [], lines: [] }),
};

/** @returns nano-USD an hour that the provider may ask: what was said, or what was shown */
async function agreed(
  context: Context,
  input: Input,
  { name, vm }: ReadyEntry,
  price: number,
): Promise<number> {
  const limit = readMaxPrice(input);
  if (limit !== undefined) {
    if (price <= limit) return limit;
    throw new GolemError('price_too_high', `${name} would cost ${perHour(price)}.`, {
      hint: 'Ask for less, or pay more with --max-price.',
    });
  }
  if (price > vm.hourlyPrice && !isSet(input, 'yes')) {
    const question = `${name} will cost ${perHour(price)} instead of ${perHour(vm.hourlyPrice)}. Resize it?`;
    await agree(context, input, question);
  }
  return price;
}

/** By what the provider offers now: it has the last word. @throws {GolemError} `no_capacity` */
function checkRoom({ name, available }: Offer, now: Resources, wanted: Resources): void {
  const more = {
    cpus: wanted.cpus - now.cpus,
    memoryMiB: wanted.memoryMiB - now.memoryMiB,
    storageGiB: wanted.storageGiB - now.storageGiB,
  };
  const lacking = [
    ...(more.cpus > Math.max(0, available.cpus) ? [`${available.cpus} CPUs`] : []),
    ...(more.memoryMiB > Math.max(0, available.memoryMiB)
      ? [`${memory(available.memoryMiB)} of memory`]
      : []),
    ...(more.storageGiB > Math.max(0, available.storageGiB)
      ? [`${available.storageGiB}G of disk`]
      : []),
  ];
  if (lacking.length === 0) return;
  throw new GolemError(
    'no_capacity',
    `${name} has no room for that: it has ${lacking.join(' and ')} more.`,
    {
      hint: 'Ask for less, or try it later.',
    },
  );
}
