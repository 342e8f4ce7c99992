/** The words in which people say how large a VM is and what it may cost. */
import { GolemError } from '@vm-on-golem/shared/errors';
import { parseUsd } from '@vm-on-golem/shared/usd';
import { resourcesSchema, SIZES, type Resources, type SizeName } from '@vm-on-golem/shared/vm';
import { closest } from '@vm-on-golem/shared/suggest';
import { option, type Input, type Option } from '../command.ts';

export const SPEC_OPTIONS: readonly Option[] = [
  {
    name: 'size',
    value: 'SIZE',
    choices: Object.keys(SIZES),
    summary:
      'small (1 CPU, 1G, 10G disk), medium (2, 4G, 20G), large (4, 8G, 40G), xlarge (8, 16G, 80G)',
  },
  { name: 'cpu', value: 'N', summary: 'virtual CPUs' },
  { name: 'memory', value: 'SIZE', summary: 'memory: 4 or 4G are GiB, 512M are MiB' },
  { name: 'storage', value: 'SIZE', summary: 'disk in GiB: 20 or 20G' },
  { name: 'max-price', value: 'USD', summary: 'most that it may cost an hour, such as 0.05' },
];

/** What `--size` says, or `otherwise`, changed by what the single options say. */
export function readResources(input: Input, otherwise: Resources = SIZES.small): Resources {
  const size = option(input, 'size');
  const base = size === undefined ? otherwise : readSize(size);
  const cpu = option(input, 'cpu');
  const memory = option(input, 'memory');
  const storage = option(input, 'storage');
  const resources = {
    cpus: cpu === undefined ? base.cpus : wholeNumber('cpu', cpu),
    memoryMiB: memory === undefined ? base.memoryMiB : readMemory(memory),
    storageGiB: storage === undefined ? base.storageGiB : readStorage(storage),
  };
  const parsed = resourcesSchema.safeParse(resources);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new GolemError(
    'usage',
    `That is not the size of a VM: ${issue?.path.join('.')}: ${issue?.message}.`,
  );
}

/** @returns nano-USD an hour */
export function readMaxPrice(input: Input): number | undefined {
  const text = option(input, 'max-price');
  if (text === undefined) return undefined;
  const price = parseUsd(text);
  if (price !== undefined) return price;
  throw new GolemError('usage', `'${text}' is not a price.`, {
    hint: 'Say it in dollars an hour: --max-price 0.05',
  });
}

function readSize(text: string): Resources {
  if (Object.hasOwn(SIZES, text)) return SIZES[text as SizeName];
  const guess = closest(text, Object.keys(SIZES));
  throw new GolemError('usage', `There is no size '${text}'.`, {
    hint: guess ? `Did you mean ${guess}?` : `There are ${Object.keys(SIZES).join(', ')}.`,
  });
}

function readMemory(text: string): number {
  const match = /^(\d{1,9})(M|MiB|G|GiB)?$/i.exec(text);
  if (match) return Number(match[1]) * (match[2]?.toUpperCase().startsWith('M') ? 1 : 1024);
  throw new GolemError('usage', `'${text}' is no amount of memory.`, {
    hint: 'Say it like 4, 4G or 512M.',
  });
}

function readStorage(text: string): number {
  const match = /^(\d{1,9})(?:G|GiB)?$/i.exec(text);
  if (match) return Number(match[1]);
  throw new GolemError('usage', `'${text}' is no size of a disk.`, {
    hint: 'Say it in GiB, like 20 or 20G.',
  });
}

function wholeNumber(name: string, text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new GolemError('usage', `'${text}' is no number for --${name}.`);
}
