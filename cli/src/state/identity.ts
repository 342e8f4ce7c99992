/** The requestor's key: made at first use, readable by its user alone. */
import { GolemError } from '@vm-on-golem/shared/errors';
import {
  generatePrivateJwk,
  openIdentity,
  privateJwkSchema,
  type Identity,
  type PrivateJwk,
} from '@vm-on-golem/shared/keys';
import { checkPrivate, createFile, readIfThere } from './files.ts';

/** @throws {GolemError} for a key file that is damaged, or that others may read */
export async function loadIdentity(path: string): Promise<Identity> {
  return openIdentity('requestor', await loadKey(path));
}

/** @throws {GolemError} as `loadIdentity` */
export async function loadKey(path: string): Promise<PrivateJwk> {
  const text =
    (await readIfThere(path)) ?? (await createFile(path, keyText(await generatePrivateJwk())));
  await checkPrivate(path);
  const key = parseKey(text);
  if (key) return key;
  throw new GolemError('invalid_request', `The key file ${path} is damaged.`, {
    hint: "Bring it back with 'golem key restore'. Without it your VMs cannot be reached.",
  });
}

/** @returns undefined for what is no key file */
export function parseKey(text: string): PrivateJwk | undefined {
  try {
    return privateJwkSchema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

export function keyText(key: PrivateJwk): string {
  return `${JSON.stringify(key)}\n`;
}
