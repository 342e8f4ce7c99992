/** Remembers VMs that were found by the key alone, under names that nothing else has here. */
import { GolemError } from '@vm-on-golem/shared/errors';
import { LIMITS } from '@vm-on-golem/shared/limits';
import type { Vm } from '@vm-on-golem/shared/vm';
import type { VmEntry } from '../../state/book.ts';
import { pinHostKey } from '../../state/host-keys.ts';
import { ownSshKey } from '../../state/ssh-keys.ts';
import type { LocalContext } from '../command.ts';

export interface FoundVm {
  readonly provider: string;
  readonly vm: Vm;
}

type Adopter = Pick<LocalContext, 'book' | 'paths' | 'note'>;

/** The oldest first, so that names are the same wherever and whenever it is done. */
export async function adopt(context: Adopter, found: readonly FoundVm[]): Promise<VmEntry[]> {
  const adopted: VmEntry[] = [];
  // Whoever has nothing but the key has to be let in as well.
  if (found.length > 0) await ownSshKey(context.paths);
  for (const one of found.toSorted(byAge)) {
    const entry = await adoptOne(context, one);
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

async function adoptOne(context: Adopter, found: FoundVm): Promise<VmEntry | undefined> {
  const { book, paths, note } = context;
  const { vm, provider } = found;
  try {
    await pinHostKey(paths, vm);
  } catch (error) {
    if (!(error instanceof GolemError)) throw error;
    note(`golem: ${error.message} ${error.hint ?? ''}`);
    return undefined;
  }
  for (const name of namesFor(found)) {
    const aside = await book.setAside(name);
    if (aside !== undefined) note(`golem: What was damaged is in ${aside} now.`);
    const isNew = await book.claim(name, { name, provider, vm });
    const entry = await book.get(name);
    // Another program may just have found it as well.
    if (!isNew && entry?.vm?.id !== vm.id) continue;
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
