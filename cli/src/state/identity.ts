/** The requestor's key: made at first use, readable by its user alone. */
import { GolemError } from '@vm-on-golem/shared/errors';
import {
  generatePrivateJwk,
  openIdentity,
  privateJwkSchema,
  type Identity,
} from '@vm-on-golem/shared/keys';
import { checkPrivate, createFile, readIfThere } from './files.ts';

/** @throws {GolemError} for a key file that is damaged, or that others may read */
export async function loadIdentity(path: string): Promise<Identity> {
  const text =
    (await readIfThere(path)) ??
    (await createFile(path, `${JSON.stringify(await generatePrivateJwk())}\n`));
  await checkPrivate(path);
  const parsed = privateJwkSchema.safeParse(parse(text));
  if (!parsed.success) {
    throw new GolemError('invalid_request', `The key file ${path} is damaged.`, {
      hint: 'Restore it from a backup. Without it your VMs cannot be reached.',
    });
  }
  return openIdentity('requestor', parsed.data);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The schema above says what is wrong with it.
    return undefined;
  }
}
