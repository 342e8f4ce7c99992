/** What becomes of the SSH key when the key is replaced: it is made from it, and guests know the one before. */
import { existsSync } from 'node:fs';
import { GolemError } from '@vm-on-golem/shared/errors';
import { openIdentity } from '@vm-on-golem/shared/keys';
import { opensshPublicKey } from '@vm-on-golem/shared/openssh';
import { keyFor, SET_KEY } from '../../guest/authorized.ts';
import { ownConfigFile, replaceIdentity } from '../../openssh/installed.ts';
import { VmBook, type VmEntry } from '../../state/book.ts';
import { createFileSync, readIfThereSync, replaceFileSync } from '../../state/files.ts';
import { keyUsers } from '../../state/key-users.ts';
import type { Rotation } from '../../state/rotation.ts';
import { keptSshKeyFile, ownSshKeyFile } from '../../state/ssh-key-file.ts';
import { derivedSshKey, ownSshKey } from '../../state/ssh-keys.ts';
import type { Context, LocalContext } from '../command.ts';
import type { ReadyEntry } from '../read/reference.ts';

/** Guests that are entered at once. */
const AT_ONCE = 8;
/** What a guest may take to write one line down. */
const GUEST_MILLIS = 20_000;

type Keys = Pick<Rotation, 'previous' | 'next'>;

/**
 * Keeps the SSH key under the name of the previous key, has all VMs that it opens say so, and puts that
 * of the next key in its place. After a kill it is gone on with; done again it changes nothing.
 */
export async function replaceSshKey(
  { home, paths }: Pick<LocalContext, 'home' | 'paths'>,
  { previous, next }: Keys,
): Promise<void> {
  const own = ownSshKeyFile(paths);
  const text = readIfThereSync(own);
  const derived = await derivedSshKey(next);
  if (text === undefined || opensshPublicKey(text) === derived.publicKey) return;
  const kept = keptSshKeyFile(paths, (await openIdentity('requestor', previous)).id);
  // Another one than was kept is one that somebody has put there since: it stays.
  if (!createFileSync(kept, text) && readIfThereSync(kept) !== text) return;
  const isUnchanged = () => readIfThereSync(own) === text;
  for (const { vms, context } of keyUsers(home)) {
    const book = new VmBook(vms, { ownKey: own });
    const opened = async () => (await book.all()).filter(({ sshKey }) => sshKey === own);
    // Again, as an entry whose VM just got its id is another one than was read.
    for (let left = await opened(); left.length > 0 && isUnchanged(); left = await opened()) {
      for (const { name, vm } of left) {
        // Asked where nobody else writes: what comes later is opened by the next one.
        await book.update(name, vm?.id, (now) =>
          now.sshKey === own && isUnchanged() ? { ...now, sshKey: kept } : now,
        );
      }
    }
    const config = ownConfigFile(home.pathsIn(context), context);
    if (existsSync(config)) await replaceIdentity(config, own, kept);
  }
  if (isUnchanged()) replaceFileSync(own, derived.privateKey);
}

export interface Unchanged {
  /** Of a VM. */
  readonly name: string;
  readonly why: string;
}

/**
 * Lets the next SSH key into all VMs that the previous one opens and that run.
 * @param isMoved whether the VMs of a provider are the next key's by now
 * @returns those that it could not be put into
 */
export async function addToGuests(
  context: LocalContext,
  { previous, next }: Keys,
  isMoved: (provider: string) => boolean,
): Promise<Unchanged[]> {
  const { paths, home } = context;
  const [before, after] = await Promise.all([
    openIdentity('requestor', previous),
    openIdentity('requestor', next),
  ]);
  const kept = keptSshKeyFile(paths, before.id);
  const input = keyFor(after.id, (await ownSshKey(paths)).publicKey);
  const unchanged: Unchanged[] = [];
  for (const { vms, discovery } of keyUsers(home)) {
    const entries = await new VmBook(vms, { ownKey: ownSshKeyFile(paths) }).all();
    const ready = entries.filter(
      (entry): entry is VmEntry & ReadyEntry =>
        entry.vm !== undefined && entry.sshKey === kept && isMoved(entry.provider),
    );
    while (ready.length > 0) {
      const results = ready.splice(0, AT_ONCE).map(async (entry) => {
        const client = await context.openClient(async () => after, entry.discovery ?? discovery);
        const why = await addTo({ ...context, client }, entry, input);
        return why === undefined ? [] : [{ name: entry.name, why }];
      });
      unchanged.push(...(await Promise.all(results)).flat());
    }
  }
  return unchanged;
}

/** @returns why it could not be done */
async function addTo(
  context: Context,
  entry: ReadyEntry,
  input: string,
): Promise<string | undefined> {
  const { client, signal } = context;
  try {
    const asking = { signal, deadlineMillis: GUEST_MILLIS };
    const { state } = await client.vms.get(entry.provider, entry.vm.id, asking);
    if (state !== 'running') return `It is ${state}.`;
    // What goes into guests is not loaded by whoever only passes by.
    const { runInGuest } = await import('./remote.ts');
    await runInGuest(context, entry, SET_KEY, input, GUEST_MILLIS);
    return undefined;
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof GolemError) return error.message;
    throw error;
  }
}
