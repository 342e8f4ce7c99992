/** What somebody who creates a VM wants, read from the command line and from files. */
import { readFile } from 'node:fs/promises';
import { text as readAll } from 'node:stream/consumers';
import { GolemError } from '@vm-on-golem/shared/errors';
import { LIMITS } from '@vm-on-golem/shared/limits';
import { sshPublicKeySchema, vmNameSchema } from '@vm-on-golem/shared/vm';
import { ownSshKey } from '../../state/ssh-keys.ts';
import { option, type Context, type Input } from '../command.ts';
import { readLife } from './duration.ts';
import { readImage } from './filter.ts';
import { inventName } from './names.ts';
import { readLabel } from './selection.ts';

/** What the command line says besides the size and the place. */
export interface Wanted {
  /** The provider's choice if undefined. */
  readonly image: string | undefined;
  readonly sshKeys: readonly string[];
  /** Private key file for SSH. */
  readonly sshKey: string;
  readonly userData: string | undefined;
  readonly labels: Readonly<Record<string, string>>;
  readonly ttlSeconds: number | undefined;
}

/** @throws {GolemError} `usage`, or `vm_exists` for the name of another VM */
export async function readName({ book }: Context, { args }: Input): Promise<string> {
  const taken = new Set((await book.all()).map((entry) => entry.name));
  const [name = inventName(taken)] = args;
  const parsed = vmNameSchema.safeParse(name);
  if (!parsed.success) {
    throw new GolemError(
      'usage',
      `'${name}' cannot be the name of a VM: ${parsed.error.issues[0]?.message}.`,
    );
  }
  if (!taken.has(name)) return name;
  throw new GolemError('vm_exists', `You have a VM '${name}' already.`, {
    hint: `Choose another name, or give it back: golem vm destroy ${name}`,
  });
}

/** @throws {GolemError} `usage` */
export async function readWish({ paths, streams }: Context, input: Input): Promise<Wanted> {
  const files = input.options['ssh-key'] ?? [];
  const keys =
    files.length === 0 ? [await ownSshKey(paths)] : await Promise.all(files.map(readPublicKey));
  return {
    image: readImage(input),
    sshKeys: keys.map(({ publicKey }) => publicKey),
    sshKey: keys[0]?.file ?? '',
    userData: await readUserData(option(input, 'user-data'), streams),
    labels: Object.fromEntries((input.options['label'] ?? []).map(readLabel)),
    ttlSeconds: readTtl(input),
  };
}

/** @returns seconds */
function readTtl(input: Input): number | undefined {
  const text = option(input, 'ttl');
  return text === undefined ? undefined : readLife('ttl', text);
}

async function readPublicKey(file: string): Promise<{ publicKey: string; file: string }> {
  const publicKey = (await readInput(file, LIMITS.vm.sshKeyBytes)).trim();
  if (!sshPublicKeySchema.safeParse(publicKey).success) {
    throw new GolemError('usage', `${file} is not an OpenSSH public key.`, {
      hint: 'It usually ends with .pub.',
    });
  }
  return { publicKey, file: file.replace(/\.pub$/, '') };
}

async function readUserData(
  file: string | undefined,
  streams: Context['streams'],
): Promise<string | undefined> {
  if (file === undefined) return undefined;
  return file === '-'
    ? bounded(await readAll(streams.input), LIMITS.vm.userDataBytes, file)
    : readInput(file, LIMITS.vm.userDataBytes);
}

async function readInput(file: string, maxBytes: number): Promise<string> {
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new GolemError('usage', `${file} cannot be read.`, { cause });
  });
  return bounded(text, maxBytes, file);
}

function bounded(text: string, maxBytes: number, file: string): string {
  if (Buffer.byteLength(text) <= maxBytes) return text;
  throw new GolemError('usage', `${file} is larger than ${maxBytes} bytes.`);
}
