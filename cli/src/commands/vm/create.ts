/** `golem vm create`: rents a VM, and is done when one can go in. */
import type { Accepted } from '@vm-on-golem/shared/api';
import { GolemError } from '@vm-on-golem/shared/errors';
import type { Offer } from '@vm-on-golem/shared/offer';
import { fits } from '@vm-on-golem/shared/vm';
import { place } from '../../sdk/offers/place.ts';
import { notCarriedOut } from '../../sdk/wire/outcome.ts';
import type { Candidate, ProviderFilter } from '../../sdk/offers/providers.ts';
import type { VmRequest } from '../../sdk/vms/vms.ts';
import { perHour } from '../../presenters/units.ts';
import { vmDetails, type VmOutput } from '../../presenters/vms.ts';
import type { VmEntry } from '../../state/book.ts';
import { isSet, option, type Command, type Context, type Input } from '../command.ts';
import { vmOutput } from '../work/output.ts';
import { readFilter } from './providers.ts';
import { DEFAULT_TIMEOUT, howToGoOn, interruptedCreation, settle } from '../work/settle.ts';
import { readDuration, SPEC_OPTIONS } from '../read/spec.ts';
import { readName, readWish, type Wish } from '../read/wish.ts';

export const create: Command<VmOutput> = {
  name: 'create',
  usage: '[NAME]',
  args: { min: 0, max: 1 },
  options: [
    ...SPEC_OPTIONS,
    {
      name: 'provider',
      value: 'ID',
      summary: 'only this one; otherwise the cheapest that takes it',
    },
    { name: 'country', value: 'CC', summary: 'only there: two letters' },
    { name: 'arch', value: 'ARCH', summary: 'x86_64 or aarch64' },
    {
      name: 'image',
      value: 'ID',
      summary: "what to boot; otherwise the provider's Debian, or its first",
    },
    {
      name: 'ssh-key',
      value: 'FILE',
      summary: 'public key that opens it; otherwise one of our own',
    },
    {
      name: 'user-data',
      value: 'FILE',
      summary: 'cloud-config or script, - for standard input; only the provider can read it',
    },
    { name: 'label', value: 'KEY=VALUE', summary: 'may be repeated', repeatable: true },
    { name: 'timeout', value: 'TIME', summary: `how long to wait (${DEFAULT_TIMEOUT})` },
    { name: 'no-wait', summary: 'be done when a provider has accepted it' },
    { name: 'dry-run', summary: 'say who would be asked, and the price' },
  ],
  examples: [
    'golem vm create web',
    'golem vm create web --size medium --country DE --max-price 0.05',
    'golem vm create ci --cpu 8 --memory 16G --storage 80G --ssh-key ~/.ssh/id_ed25519.pub',
  ],

  async run(context, input) {
    const name = await readName(context, input);
    const filter = readFilter(input);
    const timeout = readDuration('timeout', option(input, 'timeout') ?? DEFAULT_TIMEOUT);
    const wish = await readWish(context, input);
    const candidates = candidatesOf(context, input, filter, wish.image);
    if (isSet(input, 'dry-run')) return dryRun(name, filter, candidates, wish);

    const accepted = await send(context, name, filter, candidates, wish);
    if (isSet(input, 'no-wait')) {
      await collect(context, accepted);
      return vmOutput(accepted);
    }
    const settled = await settle(context, accepted, timeout);
    context.note(`Go in with: golem vm ssh ${name}`);
    return vmOutput(settled);
  },
  present: vmDetails,
};

/** A provider takes back what nobody asks about after it was ordered. */
async function collect({ client, note, signal }: Context, entry: VmEntry): Promise<void> {
  const { provider, name, vm } = entry;
  try {
    await client.vms.get(provider, vm?.id ?? name, { signal });
  } catch (error) {
    if (!(error instanceof GolemError)) throw error;
    note(`${name}: ${error.message} Ask for it within 10 minutes: golem vm wait ${name}`);
  }
}

/** Remembers what is asked before it is sent, so that nothing that was rented is ever lost. */
async function send(
  context: Context,
  name: string,
  filter: ProviderFilter,
  candidates: AsyncIterable<Candidate>,
  wish: Wish,
): Promise<VmEntry> {
  const { client, book, note, signal } = context;
  const requestor = (await client.identity()).id;
  let asked: VmEntry | undefined;
  try {
    const { accepted } = await place({
      candidates,
      ask: async ({ id, offer, hourlyPrice }) => {
        const request = requestFor(name, filter, wish, offer);
        const pending = await client.vms.creation(request, offer, requestor);
        asked = { name, provider: id, sshKey: wish.sshKeyFile, pending };
        await book.put(asked);
        note(`${name}: asking ${offer.name} (${id.slice(0, 15)}), ${perHour(hourlyPrice)}`);
        return client.vms.create(id, pending, { signal });
      },
      onRefusal: async ({ offer }, error) => {
        asked = undefined;
        await book.remove(name);
        note(`${name}: ${offer.name} did not take it: ${error.message}`);
      },
    });
    const known = withOperation(asked, accepted);
    await book.put(known);
    return known;
  } catch (error) {
    if (!asked) throw error;
    if (signal.aborted) throw interruptedCreation(name);
    if (error instanceof GolemError && notCarriedOut(error)) await book.remove(name);
    else note(`${name}: it may have been created. ${howToGoOn(name)}`);
    throw error;
  }
}

function withOperation(asked: VmEntry | undefined, { vm, operation }: Accepted): VmEntry {
  if (!asked?.pending) throw new TypeError('only what was asked for is accepted');
  return { ...asked, vm, pending: { ...asked.pending, operation } };
}

function requestFor(name: string, filter: ProviderFilter, wish: Wish, offer: Offer): VmRequest {
  return {
    name,
    resources: filter.resources,
    image: wish.image ?? preferredImage(offer),
    sshKeys: wish.sshKeys,
    ...(filter.maxHourlyPrice === undefined ? {} : { maxHourlyPrice: filter.maxHourlyPrice }),
    ...(Object.keys(wish.labels).length === 0 ? {} : { labels: wish.labels }),
    ...(wish.userData === undefined ? {} : { userData: wish.userData }),
  };
}

/** The provider that was named, or all that fit, cheapest first. */
async function* candidatesOf(
  { client, signal }: Context,
  input: Input,
  filter: ProviderFilter,
  image: string | undefined,
): AsyncGenerator<Candidate> {
  const named = option(input, 'provider');
  if (named !== undefined) {
    const id = await client.providers.resolve(named, { signal });
    yield await client.providers.get(id, filter.resources, { signal });
    return;
  }
  for await (const candidate of client.providers.all({ sort: 'price', ...filter }, { signal })) {
    const { offer } = candidate;
    const wanted = image === undefined || offer.images.includes(image);
    if (wanted && offer.images.length > 0 && fits(offer.available, filter.resources))
      yield candidate;
  }
}

async function dryRun(
  name: string,
  { resources }: ProviderFilter,
  candidates: AsyncIterable<Candidate>,
  wish: Wish,
): Promise<VmOutput> {
  for await (const { id, offer, hourlyPrice } of candidates) {
    return {
      id: null,
      name,
      state: 'creating',
      provider: id,
      image: wish.image ?? preferredImage(offer),
      ...resources,
      hourlyPriceNanoUsd: hourlyPrice,
      createdAt: null,
      leaseUntil: null,
      destroyAt: null,
      notice: null,
      sharedBy: null,
    };
  }
  throw new GolemError('no_match', undefined, {
    hint: "See what there is with 'golem vm providers'.",
  });
}

function preferredImage({ images }: Offer): string {
  const image = images.find((id) => id.startsWith('debian-')) ?? images[0];
  if (image === undefined) throw new GolemError('image_unknown', 'The provider offers no image.');
  return image;
}
