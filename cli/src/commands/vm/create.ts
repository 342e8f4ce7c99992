/** `golem vm create`: rents a VM, and is done when one can go in. */
import { readFile } from 'node:fs/promises';
import { text as readAll } from 'node:stream/consumers';
import { GolemError } from '@vm-on-golem/shared/errors';
import { LIMITS } from '@vm-on-golem/shared/limits';
import type { Offer } from '@vm-on-golem/shared/offer';
import { fits, imageIdSchema, sshPublicKeySchema, vmNameSchema } from '@vm-on-golem/shared/vm';
import { newIdempotencyKey } from '../../client/http.ts';
import type { Candidate, ProviderFilter } from '../../client/providers.ts';
import type { VmRequest } from '../../client/vms.ts';
import { perHour } from '../../presenters/units.ts';
import { vmDetails, type VmOutput } from '../../presenters/vms.ts';
import { ownSshKey } from '../../ssh/keys.ts';
import type { VmEntry } from '../../state/vms.ts';
import { isSet, option, type Command, type Context, type Input } from '../command.ts';
import { inventName } from './names.ts';
import { vmOutput } from './output.ts';
import { readFilter } from './providers.ts';
import { DEFAULT_TIMEOUT, settle } from './settle.ts';
import { readDuration, SPEC_OPTIONS } from './spec.ts';

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
    if (isSet(input, 'no-wait')) return vmOutput(accepted);
    const settled = await settle(context, accepted, timeout);
    context.note(`Go in with: golem vm ssh ${name}`);
    return vmOutput(settled);
  },
  present: vmDetails,
};

interface Wish {
  readonly image: string | undefined;
  readonly sshKeys: readonly string[];
  readonly sshKeyFile: string;
  readonly userData: string | undefined;
  readonly labels: Readonly<Record<string, string>>;
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
  let entry: VmEntry | undefined;
  const { accepted } = await client
    .place({
      candidates,
      signal,
      ask: async (candidate) => {
        if (entry?.provider !== candidate.id) {
          const body = await client.vms.creation(
            requestFor(name, filter, wish, candidate.offer),
            candidate.offer,
            requestor,
          );
          const pending = { idempotencyKey: newIdempotencyKey(), body };
          entry = { name, provider: candidate.id, sshKey: wish.sshKeyFile, pending };
          await book.put(entry);
          note(
            `${name}: asking ${candidate.offer.name} (${candidate.id.slice(0, 15)}), ${perHour(candidate.hourlyPrice)}`,
          );
        }
        const { body = '', idempotencyKey = '' } = entry.pending ?? {};
        return client.vms.create(candidate.id, body, idempotencyKey, signal);
      },
      onRefusal: async (candidate, error) => {
        note(`${name}: ${candidate.offer.name} did not take it: ${error.message}`);
        await book.remove(name);
      },
    })
    .catch(async (error: unknown) => {
      if (entry && error instanceof GolemError && !error.retryable) await book.remove(name);
      throw error;
    });
  if (!entry?.pending) throw new TypeError('a placed VM was asked for');
  const known = {
    ...entry,
    vm: accepted.vm,
    pending: { ...entry.pending, operation: accepted.operation },
  };
  await book.put(known);
  return known;
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
    const id = await client.providers.resolve(named, signal);
    yield await client.providers.get(id, filter.resources, signal);
    return;
  }
  for await (const candidate of client.providers.all({ sort: 'price', ...filter }, signal)) {
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
      ...{
        id: null,
        name,
        state: 'creating',
        provider: id,
        image: wish.image ?? preferredImage(offer),
      },
      ...{ ...resources, hourlyPriceNanoUsd: hourlyPrice, createdAt: null },
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

async function readName({ book }: Context, { args }: Input): Promise<string> {
  const taken = new Set((await book.all()).map((entry) => entry.name));
  const [name = inventName(taken)] = args;
  const parsed = vmNameSchema.safeParse(name);
  if (!parsed.success) {
    throw new GolemError(
      'usage',
      `'${name}' cannot be the name of a VM: ${parsed.error.issues[0]?.message}.`,
    );
  }
  if (!taken.has(name)) return name;
  throw new GolemError('vm_exists', `You have a VM '${name}' already.`, {
    hint: `Choose another name, or give it back: golem vm destroy ${name}`,
  });
}

async function readWish({ paths }: Context, input: Input): Promise<Wish> {
  const image = option(input, 'image');
  if (image !== undefined && !imageIdSchema.safeParse(image).success) {
    throw new GolemError('usage', `'${image}' is not the id of an image.`);
  }
  const file = option(input, 'ssh-key');
  const key = file === undefined ? await ownSshKey(paths) : await readPublicKey(file);
  return {
    image,
    sshKeys: [key.publicKey],
    sshKeyFile: key.file,
    userData: await readUserData(option(input, 'user-data')),
    labels: Object.fromEntries((input.options['label'] ?? []).map(readLabel)),
  };
}

async function readPublicKey(file: string): Promise<{ publicKey: string; file: string }> {
  const publicKey = (await readInput(file, LIMITS.vm.sshKeyBytes)).trim();
  if (!sshPublicKeySchema.safeParse(publicKey).success) {
    throw new GolemError('usage', `${file} is not an OpenSSH public key.`, {
      hint: 'It usually ends with .pub.',
    });
  }
  return { publicKey, file: file.replace(/\.pub$/, '') };
}

async function readUserData(file: string | undefined): Promise<string | undefined> {
  if (file === undefined) return undefined;
  return file === '-'
    ? bounded(await readAll(process.stdin), LIMITS.vm.userDataBytes, file)
    : readInput(file, LIMITS.vm.userDataBytes);
}

async function readInput(file: string, maxBytes: number): Promise<string> {
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new GolemError('usage', `${file} cannot be read.`, { cause });
  });
  return bounded(text, maxBytes, file);
}

function bounded(text: string, maxBytes: number, file: string): string {
  if (Buffer.byteLength(text) <= maxBytes) return text;
  throw new GolemError('usage', `${file} is larger than ${maxBytes} bytes.`);
}

function readLabel(text: string): [string, string] {
  const at = text.indexOf('=');
  if (at > 0) return [text.slice(0, at), text.slice(at + 1)];
  throw new GolemError('usage', `'${text}' is no label.`, { hint: 'Write --label KEY=VALUE.' });
}
