/** Checks of what is kept here: keys, who may read them, and what is remembered of VMs. */
import { statSync } from 'node:fs';
import { dirname } from 'node:path';
import { GolemError } from '@vm-on-golem/shared/errors';
import { openIdentity } from '@vm-on-golem/shared/keys';
import { cachedNames } from '../../state/cached.ts';
import { checkPrivate, readIfThere } from '../../state/files.ts';
import { loadKey } from '../../state/identity.ts';
import { readRotation, waitingFor } from '../../state/rotation.ts';
import { ownSshKeyFile } from '../../state/ssh-key-file.ts';
import { derivedSshKey, ownSshKey } from '../../state/ssh-keys.ts';
import type { LocalContext } from '../command.ts';
import { failure, failureOf, ok, skipped, warning, type Check, type Finding } from './check.ts';

export const BELONGINGS_CHECKS: readonly Check[] = [
  { name: 'key', run: key },
  { name: 'ssh key', run: sshKey },
  {
    name: 'folders',
    run: async ({ paths }) => folders([dirname(paths.key), paths.ssh, paths.vms]),
  },
  { name: 'rotation', run: async ({ paths }) => rotation(paths) },
  { name: 'state', run: state },
];

async function key({ paths }: LocalContext): Promise<Finding> {
  if ((await readIfThere(paths.key)) === undefined) {
    return warning('there is none yet: it is made when it is needed', 'golem key show');
  }
  try {
    const { id } = await openIdentity('requestor', await loadKey(paths.key));
    return ok(`${id} in ${paths.key}`);
  } catch (error) {
    return failureOf(error, 'golem key restore FILE');
  }
}

async function sshKey({ paths }: LocalContext): Promise<Finding> {
  const file = ownSshKeyFile(paths);
  if ((await readIfThere(file)) === undefined) return ok('made from the key when it is needed');
  try {
    await checkPrivate(file);
    const { publicKey } = await derivedSshKey(await loadKey(paths.key));
    if ((await ownSshKey(paths)).publicKey === publicKey) return ok(file);
    return warning(
      `${file} is not the one that the key gives: without it, your VMs let nobody in`,
      'golem key backup FILE',
    );
  } catch (error) {
    return failureOf(error, `chmod 600 ${file}`);
  }
}

function folders(all: readonly string[]): Finding {
  if (process.platform === 'win32') return skipped('modes say nothing on Windows');
  const open = all.filter((folder) => {
    const stat = statSync(folder, { throwIfNoEntry: false });
    return stat !== undefined && (stat.mode & 0o077) !== 0;
  });
  if (open.length === 0) return ok('readable by you alone');
  return warning(`others may look into ${open.join(', ')}`, `chmod 700 ${open.join(' ')}`);
}

function rotation(paths: LocalContext['paths']): Finding {
  try {
    const found = readRotation(paths);
    if (!found) return ok('none goes on');
    const names = waitingFor(found).join(', ');
    return warning(`since ${found.startedAt} it waits for ${names}`, 'golem key rotate');
  } catch (error) {
    return failureOf(error, 'golem key restore FILE');
  }
}

async function state({ book, paths }: LocalContext): Promise<Finding> {
  const names = cachedNames(paths.vms);
  const problems: GolemError[] = [];
  for (const name of names) {
    try {
      await book.get(name);
    } catch (error) {
      if (!(error instanceof GolemError)) throw error;
      problems.push(error);
    }
  }
  const [first] = problems;
  if (!first) return ok(`${names.length} VMs are remembered in ${paths.vms}`);
  const what = problems.map(({ message }) => message).join(' ');
  return failure(what, first.hint ?? 'golem vm list');
}
