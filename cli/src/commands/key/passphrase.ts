/** The passphrase of a backup: from a file, from the environment, or from whoever is there. */
import { readFile } from 'node:fs/promises';
import { GolemError } from '@vm-on-golem/shared/errors';
import { STATE_LIMITS } from '../../state/limits.ts';
import { option, type Input, type LocalContext, type Option } from '../command.ts';

export const PASSPHRASE_FILE: Option = {
  name: 'passphrase-file',
  value: 'FILE',
  summary: 'its first line is the passphrase; GOLEM_PASSPHRASE does as well',
};

type Asker = Pick<LocalContext, 'env' | 'ask'>;

/** @throws {GolemError} `usage` for one that is too short, `needs_input` where nobody can be asked */
export async function newPassphrase(context: Asker, input: Input): Promise<string> {
  const said = await saidPassphrase(context, input);
  const passphrase = said ?? (await context.ask('Passphrase for the backup:', true));
  if (passphrase === undefined) throw nobody('--no-passphrase writes the key in the clear.');
  if (passphrase.length < STATE_LIMITS.passphraseChars) {
    throw new GolemError('usage', 'That passphrase is too short to protect anything.', {
      hint: `Take at least ${STATE_LIMITS.passphraseChars} characters; several words are best.`,
    });
  }
  if (said === undefined && (await context.ask('Once more:', true)) !== passphrase) {
    throw new GolemError('usage', 'The two passphrases are not the same. Nothing was written.');
  }
  return passphrase;
}

/** @throws {GolemError} `needs_input` */
export async function knownPassphrase(context: Asker, input: Input): Promise<string> {
  const passphrase =
    (await saidPassphrase(context, input)) ??
    (await context.ask('Passphrase of the backup:', true));
  if (passphrase === undefined) throw nobody('The backup is encrypted.');
  return passphrase;
}

async function saidPassphrase({ env }: Asker, input: Input): Promise<string | undefined> {
  const file = option(input, 'passphrase-file');
  if (file === undefined) return env['GOLEM_PASSPHRASE'] || undefined;
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new GolemError('usage', `${file} cannot be read.`, { cause });
  });
  return text.split(/\r?\n/, 1)[0];
}

function nobody(more: string): GolemError {
  return new GolemError('needs_input', `There is nobody here to ask for a passphrase. ${more}`, {
    hint: 'Say --passphrase-file FILE, or set GOLEM_PASSPHRASE.',
  });
}
