/**
 * A backup: one file that is enough on another machine. With a passphrase it is an age file
 * (https://age-encryption.org/v1) in its text form, so that other programs can open it as well.
 */
import { armor, Decrypter, Encrypter } from 'age-encryption';
import { GolemError } from '@vm-on-golem/shared/errors';
import { requestorIdSchema } from '@vm-on-golem/shared/ids';
import { privateJwkSchema } from '@vm-on-golem/shared/keys';
import * as z from 'zod';
import { entrySchema } from './entry.ts';

const BACKUP_VERSION = 1;
const ARMOR_HEAD = '-----BEGIN AGE ENCRYPTED FILE-----';

const backupSchema = z.object({
  kind: z.literal('golem-backup'),
  version: z.literal(BACKUP_VERSION),
  createdAt: z.iso.datetime(),
  /** URL. */
  discovery: z.url(),
  key: privateJwkSchema,
  /** Text of `id_ed25519`, where it is not the one that the key gives. */
  sshKey: z.string().optional(),
  /** SSH keys of keys that were replaced, by the id of that key. */
  formerSshKeys: z.array(z.object({ requestor: requestorIdSchema, text: z.string() })).optional(),
  /** The file of a rotation that goes on, as it is. */
  rotation: z.string().optional(),
  /** Keys that owned VMs once. */
  retired: z.array(privateJwkSchema),
  /** What was rented, as it was last known. */
  vms: z.array(
    entrySchema.omit({ version: true, sshKey: true }).extend({
      /** Whose SSH key opens it, if that is not the one of the key. */
      sshKeyOf: requestorIdSchema.optional(),
    }),
  ),
});
export type Backup = Omit<z.infer<typeof backupSchema>, 'kind' | 'version'>;

export interface SealOptions {
  readonly passphrase: string;
  /** Binary logarithm of the work that a guess costs (scrypt's N); age's own unless said. */
  readonly workFactor?: number;
}

/** @returns text: JSON, or an armoured age file */
export async function backupText(backup: Backup, seal: SealOptions | undefined): Promise<string> {
  const json = `${JSON.stringify({ kind: 'golem-backup', version: BACKUP_VERSION, ...backup }, null, 2)}\n`;
  if (!seal) return json;
  const encrypter = new Encrypter();
  if (seal.workFactor !== undefined) encrypter.setScryptWorkFactor(seal.workFactor);
  encrypter.setPassphrase(seal.passphrase);
  return armor.encode(await encrypter.encrypt(json));
}

export function isSealed(text: string): boolean {
  return text.trimStart().startsWith(ARMOR_HEAD);
}

/**
 * @throws {GolemError} `forbidden` for a wrong passphrase, `invalid_request` for what is no backup,
 * `incompatible` for one that a newer golem wrote
 */
export async function openBackup(text: string, passphrase: string | undefined): Promise<Backup> {
  const json = jsonOf(isSealed(text) ? await unseal(text, passphrase ?? '') : text);
  const parsed = backupSchema.safeParse(json);
  if (parsed.success) return parsed.data;
  const version = (json as { version?: unknown } | undefined)?.version;
  if (typeof version === 'number' && version > BACKUP_VERSION) {
    throw new GolemError('incompatible', 'A newer golem wrote this backup.', {
      hint: 'Update this one.',
    });
  }
  throw new GolemError('invalid_request', 'That is no backup of a key, or it is damaged.', {
    cause: parsed.error,
  });
}

async function unseal(text: string, passphrase: string): Promise<string> {
  let file: Uint8Array;
  try {
    file = armor.decode(text);
  } catch (cause) {
    throw new GolemError('invalid_request', 'The backup is damaged.', { cause });
  }
  const decrypter = new Decrypter();
  decrypter.addPassphrase(passphrase);
  try {
    return await decrypter.decrypt(file, 'text');
  } catch (cause) {
    throw new GolemError('forbidden', 'That passphrase does not open the backup.', {
      hint: 'Or the file was changed since it was written.',
      cause,
    });
  }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The schema says what is wrong with it.
    return undefined;
  }
}
