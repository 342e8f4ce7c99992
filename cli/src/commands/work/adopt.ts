/**
 * Remembers VMs that were found by the key alone, under names that nothing else has here: those that
 * this key shows to have ordered. Any provider may say of any VM that it is ours, and what has a name
 * here is gone into, and copied to.
 */
import { GolemError } from '@vm-on-golem/shared/errors';
import { LIMITS } from '@vm-on-golem/shared/limits';
import type { Identity } from '@vm-on-golem/shared/keys';
import type { Vm } from '@vm-on-golem/shared/vm';
import { isOrdered } from '../../sdk/own/ordered.ts';
import type { Rental } from '../../sdk/ports.ts';
import type { VmEntry } from '../../state/book.ts';
import { pinHostKey } from '../../state/host-keys.ts';
import { ownSshKey } from '../../state/ssh-keys.ts';
import type { LocalContext } from '../command.ts';

export interface FoundVm {
  readonly provider: string;
  readonly vm: Vm;
  /** Private key file that opens it, where that is not the one of the key in use. */
  readonly sshKey?: string | undefined;
}

export interface Sorted {
  readonly ordered: readonly FoundVm[];
  /** Not proven: said by a provider, and by nothing else. */
  readonly unknown: readonly FoundVm[];
}

/**
 * @param identities the key in use, and those before it
 * @param entries what is remembered already
 */
export async function sortByProof(
  identities: readonly Identity[],
  entries: readonly Rental[],
  found: readonly FoundVm[],
): Promise<Sorted> {
  // A provider has one VM of a name: it knows the mark of that one, and can say it of others.
  const places = new Set(
    entries.map(({ provider, vm, name }) => `${provider}/${vm?.name ?? name}`),
  );
  const ordered: FoundVm[] = [];
  const unknown: FoundVm[] = [];
  for (const one of found.toSorted(byAge)) {
    const { provider, vm } = one;
    const place = `${provider}/${vm.name}`;
    const isProven = !places.has(place) && (await isOrdered(identities, provider, vm));
    if (isProven) places.add(place);
    (isProven ? ordered : unknown).push(one);
  }
  return { ordered, unknown };
}

type Adopter = Pick<LocalContext, 'book' | 'paths' | 'note'>;

/** One after the other in a fixed order, so that names are the same wherever and whenever it is done. */
export async function adopt(context: Adopter, found: readonly FoundVm[]): Promise<VmEntry[]> {
  const adopted: VmEntry[] = [];
  // Whoever has nothing but the key has to be let in as well.
  if (found.length > 0) await ownSshKey(context.paths);
  const names = found.map(({ vm }) => vm.name);
  for (const one of found.toSorted(byAge)) {
    // Of several the age would say which is meant by the name alone, and providers say their age.
    const isAlone = names.filter((name) => name === one.vm.name).length === 1;
    const entry = await adoptOne(context, one, [...namesFor(one)].slice(isAlone ? 0 : 1));
    if (entry) adopted.push(entry);
  }
  return adopted;
}

/**
 * Its own name; if several providers have one of that name, with so much of the provider's id as
 * tells them apart.
 */
export function* namesFor({ vm, provider }: FoundVm): Generator<string> {
  yield vm.name;
  const id = provider.slice('gp_'.length);
  for (const length of [4, 8, id.length]) {
    const end = `-${id.slice(0, length)}`;
    yield vm.name.slice(0, LIMITS.vm.nameChars - end.length).replace(/-+$/, '') + end;
  }
}

async function adoptOne(
  context: Adopter,
  found: FoundVm,
  names: readonly string[],
): Promise<VmEntry | undefined> {
  const { book, paths, note } = context;
  const { vm, provider, sshKey } = found;
  try {
    await pinHostKey(paths, found);
  } catch (error) {
    if (!(error instanceof GolemError)) throw error;
    note(`golem: ${error.message} ${error.hint ?? ''}`);
    return undefined;
  }
  for (const name of names) {
    const aside = await book.setAside(name);
    if (aside !== undefined) note(`golem: What was damaged is in ${aside} now.`);
    const isNew = await book.claim(name, { name, provider, vm, sshKey });
    const entry = await book.get(name);
    // Another program may just have found it as well.
    if (!isNew && (entry?.vm?.id !== vm.id || entry.provider !== provider)) continue;
    if (isNew && name !== vm.name) note(`golem: '${vm.name}' at ${provider} is ${name} here.`);
    return entry;
  }
  note(`golem: ${vm.id} at ${provider} is not shown: all names for it are taken.`);
  return undefined;
}

function byAge(a: FoundVm, b: FoundVm): number {
  const [one, other] = [a, b].map(({ vm }) => `${vm.createdAt} ${vm.id}`);
  return (one ?? '') < (other ?? '') ? -1 : 1;
}
