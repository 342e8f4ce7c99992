/** `golem key backup`: a file that is enough on another machine. */
import { GolemError } from '@vm-on-golem/shared/errors';
import { backupText, type Backup } from '../../state/backup.ts';
import {
  createFileSync,
  readIfThere,
  readIfThereSync,
  replaceFileSync,
} from '../../state/files.ts';
import type { VmEntry } from '../../state/entry.ts';
import { loadIdentity, loadKey } from '../../state/identity.ts';
import { cachedNames } from '../../state/cached.ts';
import { keyUsers } from '../../state/key-users.ts';
import { retiredKeys } from '../../state/rotation.ts';
import { keptSshKeyFile, keptSshKeyOwners } from '../../state/ssh-key-file.ts';
import { ownSshKey } from '../../state/ssh-keys.ts';
import { isSet, type LocalCommand, type LocalContext } from '../command.ts';
import { newPassphrase, PASSPHRASE_FILE } from './passphrase.ts';

interface BackedUp {
  /** `-` for standard output. */
  readonly file: string;
  readonly requestor: string;
  readonly isEncrypted: boolean;
  readonly vms: number;
}

export const backup: LocalCommand<BackedUp> = {
  name: 'backup',
  isLocal: true,
  usage: 'FILE',
  args: { min: 1, max: 1 },
  options: [
    PASSPHRASE_FILE,
    { name: 'no-passphrase', summary: 'in the clear: whoever reads the file owns your VMs' },
    { name: 'force', summary: 'write over a file that is there' },
  ],
  examples: ['golem key backup golem-key.age', 'golem key restore golem-key.age'],
  about: [
    'The file holds the key, the SSH key, keys of earlier rotations, and what is known of your VMs. It is an age file: `age --decrypt` opens it as well.',
  ],

  async run(context, input) {
    const [file = ''] = input.args;
    const isEncrypted = !isSet(input, 'no-passphrase');
    if (file !== '-' && !isSet(input, 'force') && readIfThereSync(file) !== undefined) {
      throw taken(file);
    }
    const content = await contentOf(context);
    const seal = isEncrypted ? { passphrase: await newPassphrase(context, input) } : undefined;
    const text = await backupText(content, seal);
    if (file === '-') context.streams.output.write(text);
    else if (isSet(input, 'force')) replaceFileSync(file, text);
    else if (!createFileSync(file, text)) throw taken(file);
    const { id } = await loadIdentity(context.paths.key);
    sayOthers(context);
    if (file !== '-') context.note(`${file} is enough anywhere: golem key restore ${file}`);
    return { file, requestor: id, isEncrypted, vms: content.vms.length };
  },
};

async function contentOf({ paths, book, home, now }: LocalContext): Promise<Backup> {
  const [key, { file }, entries] = await Promise.all([
    loadKey(paths.key),
    ownSshKey(paths),
    book.all(),
  ]);
  const formers = keptSshKeyOwners(paths);
  const formerSshKeys = await Promise.all(
    formers.map(async (requestor) => ({
      requestor,
      text: (await readIfThere(keptSshKeyFile(paths, requestor))) ?? '',
    })),
  );
  const rotation = await readIfThere(paths.rotation);
  const sshKey = await readIfThere(file);
  return {
    createdAt: new Date(now()).toISOString(),
    ...{ discovery: home.discovery, key },
    ...(sshKey === undefined ? {} : { sshKey }),
    ...(rotation === undefined ? {} : { rotation }),
    retired: await Promise.all(retiredKeys(paths).map(loadKey)),
    formerSshKeys,
    vms: entries.map((entry) => {
      const of = formers.find((one) => keptSshKeyFile(paths, one) === entry.sshKey);
      return { ...withoutKey(entry), ...(of === undefined ? {} : { sshKeyOf: of }) };
    }),
  };
}

/** It is the backup of one context, whoever else has its key. */
function sayOthers({ home, note }: LocalContext): void {
  for (const { context, vms } of keyUsers(home).slice(1)) {
    const count = cachedNames(vms).length;
    if (count === 0) continue;
    note(
      `golem: The context '${context}' has the same key, and its VMs (${count}) are not in it. They have a backup of their own: golem --context ${context} key backup FILE`,
    );
  }
}

/** Where its private key is means nothing on another machine. */
function withoutKey(entry: VmEntry): Backup['vms'][number] {
  const { name, provider, discovery, pending, vm, seenAt } = entry;
  return { name, provider, discovery, pending, vm, seenAt };
}

function taken(file: string): GolemError {
  return new GolemError('file_exists', `There is a file ${file} already.`, {
    hint: 'Take another name, or write over it with --force.',
  });
}
