/** `golem key restore`: takes a key back, and what was known of its VMs. Nothing that is here is lost. */
import { readFile } from 'node:fs/promises';
import { text as readAll } from 'node:stream/consumers';
import { GolemError } from '@vm-on-golem/shared/errors';
import { openIdentity, type PrivateJwk } from '@vm-on-golem/shared/keys';
import { isSealed, openBackup, type Backup } from '../../state/backup.ts';
import { changeConfig } from '../../state/config.ts';
import { createFileSync, readIfThereSync, replaceFileSync } from '../../state/files.ts';
import { pinHostKey } from '../../state/host-keys.ts';
import { keyText, loadKey } from '../../state/identity.ts';
import { STATE_LIMITS } from '../../state/limits.ts';
import { checkRotation, replaceKey, retireKeySync } from '../../state/rotation.ts';
import { SETTINGS } from '../../state/settings.ts';
import { keptSshKeyFile, ownSshKeyFile } from '../../state/ssh-key-file.ts';
import type { LocalCommand, LocalContext } from '../command.ts';
import { withValue } from '../config/set.ts';
import { knownPassphrase, PASSPHRASE_FILE } from './passphrase.ts';

interface Restored {
  readonly requestor: string;
  /** How many VMs are remembered now that were not. */
  readonly vms: number;
  /** Where the key is that was here before; null if it was this one, or none. */
  readonly putAside: string | null;
  /** Names of VMs that the backup has, and that could not be remembered. */
  readonly leftOut: readonly string[];
}

export const restore: LocalCommand<Restored> = {
  name: 'restore',
  isLocal: true,
  usage: 'FILE',
  args: { min: 1, max: 1 },
  options: [PASSPHRASE_FILE],
  examples: ['golem key restore golem-key.age', 'golem key restore - < golem-key.age'],

  async run(context, input) {
    const text = await readBackup(context, input.args[0] ?? '');
    const passphrase = isSealed(text) ? await knownPassphrase(context, input) : undefined;
    const content = await openBackup(text, passphrase);
    const { note } = context;
    // All that can be wrong with the backup is found before anything is written.
    checkBackup(content);
    const { id } = await openIdentity('requestor', content.key);
    const putAside = await putKey(context, content.key, id);
    await putOtherKeys(context, content);
    await putDiscovery(context, content.discovery);
    let vms = 0;
    const leftOut: string[] = [];
    for (const entry of content.vms) {
      try {
        if (await putVm(context, entry)) vms += 1;
      } catch (error) {
        // The key is there already: one VM is no reason to leave the others behind.
        if (!(error instanceof GolemError)) throw error;
        leftOut.push(entry.name);
        note(`golem: '${entry.name}' is left out: ${error.message} ${error.hint ?? ''}`);
      }
    }
    note(`The key is ${id}. See your VMs: golem vm list`);
    return { requestor: id, vms, putAside, leftOut };
  },
};

async function readBackup({ streams }: LocalContext, file: string): Promise<string> {
  const text =
    file === '-'
      ? await readAll(streams.input)
      : await readFile(file, 'utf8').catch((cause: unknown) => {
          throw new GolemError('usage', `${file} cannot be read.`, { cause });
        });
  if (text.length <= STATE_LIMITS.backupBytes) return text;
  throw new GolemError('usage', `${file} is far larger than any backup.`);
}

/** @returns where the key is that was in its place */
async function putKey(
  { paths, confirm }: LocalContext,
  key: PrivateJwk,
  id: string,
): Promise<string | null> {
  if (createFileSync(paths.key, keyText(key))) return null;
  const there = await loadKey(paths.key);
  const here = await openIdentity('requestor', there);
  if (here.id === id) return null;
  if (!(await confirm(`Another key is here, ${here.id}. Put it aside, and take ${id}?`))) {
    throw new GolemError('needs_input', `Another key is here: ${here.id}. Nothing was changed.`, {
      hint: 'Say --yes to put it aside; or give this one a context of its own: golem context add NAME URL --own-key',
    });
  }
  return replaceKey(paths, { id: here.id, key: there }, key);
}

/** @throws {GolemError} for what would be found to be wrong only when it is used */
function checkBackup({ key, rotation }: Backup): void {
  if (rotation === undefined) return;
  const { previous, next } = checkRotation(rotation);
  if ([previous.x, next.x].includes(key.x)) return;
  throw new GolemError('invalid_request', 'The rotation in the backup is about other keys.');
}

/** @returns whether it is remembered now, and was not */
async function putVm(
  { book, paths }: LocalContext,
  entry: Backup['vms'][number],
): Promise<boolean> {
  const { name, pending, sshKeyOf, ...rest } = entry;
  const sshKey = sshKeyOf === undefined ? {} : { sshKey: keptSshKeyFile(paths, sshKeyOf) };
  // Sent again after a day it would be another order, at another price.
  const known = pending?.operation === undefined ? {} : { pending };
  if (!entry.vm && !known.pending) {
    throw new GolemError('not_found', 'it was ordered, and nobody knew yet what became of that.');
  }
  if ((await book.get(name)) !== undefined) return false;
  if (entry.vm) await pinHostKey(paths, { ...entry, vm: entry.vm });
  return book.claim(name, { name, ...rest, ...known, ...sshKey });
}

async function putOtherKeys(
  { paths, note }: LocalContext,
  { sshKey, formerSshKeys = [], rotation, retired }: Backup,
): Promise<void> {
  for (const key of retired) retireKeySync(paths, (await openIdentity('requestor', key)).id, key);
  if (rotation !== undefined) createFileSync(paths.rotation, rotation);
  for (const { requestor, text } of formerSshKeys) {
    createFileSync(keptSshKeyFile(paths, requestor), text);
  }
  const file = ownSshKeyFile(paths);
  if (sshKey === undefined || createFileSync(file, sshKey)) return;
  if (readIfThereSync(file) === sshKey) return;
  const beside = `${file}.restored`;
  replaceFileSync(beside, sshKey);
  note(`golem: Another SSH key is here. The one of the backup is in ${beside}.`);
}

/** Where VMs are is of use only with the service that reaches them. */
async function putDiscovery({ home, note }: LocalContext, discovery: string): Promise<void> {
  const setting = SETTINGS.find(({ name }) => name === 'discovery');
  if (!setting || home.discovery === discovery) return;
  if (home.valueOf(setting).origin !== 'default') {
    note(`golem: The backup is from ${discovery}; here it is ${home.discovery}.`);
    return;
  }
  await changeConfig(home.paths.config, (now) =>
    withValue(now, home.context.value, setting, discovery),
  );
  note(`discovery: ${discovery}`);
}
