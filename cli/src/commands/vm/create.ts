/** `golem vm create`: rents a VM, and is done when one can go in. */
import { GolemError } from '@vm-on-golem/shared/errors';
import { fits } from '@vm-on-golem/shared/vm';
import { imageOf, noMatch } from '../../sdk/offers/candidates.ts';
import type { Rental } from '../../sdk/ports.ts';
import type { Wish } from '../../sdk/work/rent.ts';
import { perHour, total } from '../../presenters/units.ts';
import { vmDetails, type VmOutput } from '../../presenters/vms.ts';
import type { View } from '../../presenters/view.ts';
import { isSet, option, type Command, type Context } from '../command.ts';
import { readFilter } from '../read/filter.ts';
import { SPEC_OPTIONS } from '../read/spec.ts';
import { readName, readWish } from '../read/wish.ts';
import { vmOutput } from '../work/output.ts';
import { howToGoOn, readTimeout, settled, WAIT_OPTIONS } from '../work/waiting.ts';

interface CreateOutput extends VmOutput {
  /** Of a dry run with `--ttl`: nano-USD for all of its time. */
  readonly totalNanoUsd?: number;
  readonly ttlSeconds?: number;
  /** Of a dry run: who would be asked. */
  readonly providerName?: string;
}

export const create: Command<CreateOutput> = {
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
    { name: 'arch', value: 'ARCH', choices: ['x86_64', 'aarch64'], summary: 'x86_64 or aarch64' },
    {
      name: 'image',
      value: 'ID',
      summary: "what to boot; otherwise the provider's Debian, or its first",
    },
    {
      name: 'ssh-key',
      value: 'FILE',
      summary: 'public key that opens it; otherwise one of our own',
      repeatable: true,
    },
    {
      name: 'user-data',
      value: 'FILE',
      summary: 'cloud-config or script, - for standard input; only the provider can read it',
    },
    { name: 'label', value: 'KEY=VALUE', summary: 'words to find it by', repeatable: true },
    { name: 'ttl', value: 'TIME', summary: 'destroy it after so long, whatever happens' },
    ...WAIT_OPTIONS,
    { name: 'dry-run', summary: 'rent nothing: say who would be asked, and the price' },
  ],
  examples: [
    'golem vm create web',
    'golem vm create web --size medium --country DE --max-price 0.05',
    'golem vm create job --ttl 2h --label kind=ci --dry-run',
    'golem vm create ci --cpu 8 --memory 16G --storage 80G --ssh-key ~/.ssh/id_ed25519.pub',
  ],

  async run(context, input) {
    const { client, signal, note } = context;
    const name = await readName(context, input);
    const timeout = readTimeout(input);
    const { sort: _sort, ...filter } = readFilter(input);
    const provider = option(input, 'provider');
    const wish = { name, ...filter, provider, ...(await readWish(context, input)) };
    if (isSet(input, 'dry-run')) return dryRun(context, wish);

    const accepted = await ask(context, wish);
    if (isSet(input, 'no-wait')) {
      // A provider takes back what nobody asks about after it was ordered.
      await client.vms
        .get(accepted.provider, accepted.vm?.id ?? name, { signal })
        .catch((error: unknown) => {
          if (!(error instanceof GolemError)) throw error;
          note(`${name}: ${error.message} Ask for it within 10 minutes: golem vm wait ${name}`);
        });
      return vmOutput(accepted);
    }
    const ready = await settled(context, accepted, timeout);
    note(`Go in with: golem vm ssh ${name}`);
    return vmOutput(ready);
  },
  present: createView,
};

function createView({ totalNanoUsd, ttlSeconds, providerName, ...vm }: CreateOutput): View {
  const view = vmDetails(vm);
  if (providerName === undefined) return view;
  const wanted = (view.facts ?? []).filter(([name]) => WISHED.has(name));
  const sum: [string, string][] =
    totalNanoUsd === undefined || ttlSeconds === undefined
      ? []
      : [['total', total(totalNanoUsd, ttlSeconds)]];
  return {
    ...view,
    facts: [['would ask', `${providerName} (${vm.provider})`], ...wanted, ...sum],
  };
}

/** What there is to say of a VM that nobody has rented. */
const WISHED: ReadonlySet<string> = new Set(['image', 'cpus', 'memory', 'disk', 'price']);

/** Has it accepted; says what may be left behind when that ends otherwise. */
async function ask({ client, book, note, signal }: Context, wish: Wish): Promise<Rental> {
  const { name } = wish;
  let isAsking = false;
  try {
    return await client.rent(wish, {
      rentals: book,
      signal,
      onAsk: ({ id, offer, hourlyPrice }) => {
        isAsking = true;
        note(`${name}: asking ${offer.name} (${id.slice(0, 15)}), ${perHour(hourlyPrice)}`);
      },
      onRefusal: ({ offer }, error) => {
        isAsking = false;
        note(`${name}: ${offer.name} did not take it: ${error.message}`);
      },
    });
  } catch (cause) {
    const isLeft = isAsking && (await book.get(name))?.pending !== undefined;
    if (!isLeft) throw cause;
    if (signal.aborted) {
      throw new GolemError('interrupted', `Stopped waiting. The creation of '${name}' may go on.`, {
        ...{ hint: howToGoOn(name), cause },
      });
    }
    note(`${name}: it may have been created. ${howToGoOn(name)}`);
    throw cause;
  }
}

async function dryRun({ client, signal, note }: Context, wish: Wish): Promise<CreateOutput> {
  const { name, resources, ttlSeconds } = wish;
  for await (const { id, offer, online, hourlyPrice } of client.candidates(wish, { signal })) {
    if (!online) throw new GolemError('provider_offline');
    if (!fits(offer.available, resources)) {
      throw new GolemError('no_capacity', `${offer.name} is online, but has no room for this now.`);
    }
    note('Nothing was rented: this was a dry run.');
    return {
      providerName: offer.name,
      ...vmOutput({ name, provider: id }),
      image: imageOf(offer, wish.image),
      ...resources,
      hourlyPriceNanoUsd: hourlyPrice,
      ...(ttlSeconds === undefined
        ? {}
        : { ttlSeconds, totalNanoUsd: Math.ceil((hourlyPrice * ttlSeconds) / 3600) }),
    };
  }
  throw await noMatch(client.providers, wish, { signal });
}
