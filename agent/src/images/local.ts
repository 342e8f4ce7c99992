/** Images that were built on this machine: a folder with an `image.json` and the files it names. */
import { open, readdir, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { GolemError } from '@vm-on-golem/shared/errors';
import { LIMITS } from '@vm-on-golem/shared/limits';
import { imageIdSchema } from '@vm-on-golem/shared/vm';
import * as z from 'zod';
import { AGENT_LIMITS } from '../limits.ts';

const MANIFEST = 'image.json';

const fileSchema = z.object({
  file: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/, 'not the plain name of a file in the folder'),
  sha256: z.string().regex(/^[0-9a-f]{64}$/, 'not a SHA-256 hash'),
});

const manifestSchema = z.object({
  version: z.literal(1),
  id: imageIdSchema,
  arch: z.enum(['x86_64', 'aarch64']),
  user: z.string().regex(/^[a-z_][a-z0-9_-]{0,31}$/, 'not the name of an account'),
  minMemoryMiB: z.number().int().min(1).max(LIMITS.vm.memoryMiB),
  disk: fileSchema,
  kernel: z
    .object({
      vmlinuz: fileSchema,
      initrd: fileSchema,
      append: z.string().regex(/^[\x20-\x7e]{0,2000}$/, 'not one line of text'),
    })
    .optional(),
  readyMarker: z.string().min(1).max(200).optional(),
});
export type Manifest = z.infer<typeof manifestSchema>;
export type ManifestFile = z.infer<typeof fileSchema>;

/**
 * The folders of images that `folder` stands for: itself, or those right below it that are not
 * hidden, as one is that is still being built.
 * @throws {GolemError} `invalid_request` when there is no image
 */
export async function imageFolders(folder: string): Promise<string[]> {
  const isImage = (path: string) =>
    stat(join(path, MANIFEST)).then(
      (info) => info.isFile(),
      () => false,
    );
  if (await isImage(folder)) return [folder];
  const names = await readdir(folder).catch(() => []);
  const found: string[] = [];
  for (const name of names.filter((name) => !name.startsWith('.')).sort()) {
    const path = join(folder, name);
    if (await isImage(path)) found.push(path);
  }
  if (found.length > 0) return found;
  throw new GolemError('invalid_request', `There is no image in the folder ${folder}.`, {
    hint: `An image is a folder with an ${MANIFEST}; npm run image builds one.`,
  });
}

/** @throws {GolemError} `invalid_request` saying what is wrong with the manifest */
export async function readManifest(folder: string): Promise<Manifest> {
  const what = `The ${MANIFEST} of ${basename(folder)}`;
  const text = await readBounded(join(folder, MANIFEST)).catch((cause: unknown) => {
    throw new GolemError('invalid_request', `${what} cannot be read.`, { cause });
  });
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new GolemError('invalid_request', `${what} is not JSON.`, { cause });
  }
  const manifest = manifestSchema.safeParse(value);
  if (manifest.success) return manifest.data;
  const issue = manifest.error.issues[0];
  throw new GolemError(
    'invalid_request',
    `${what} is not valid: ${issue?.path.join('.')}: ${issue?.message}`,
  );
}

async function readBounded(path: string): Promise<string> {
  await using file = await open(path);
  const { manifestBytes } = AGENT_LIMITS.images;
  const { buffer, bytesRead } = await file.read(Buffer.alloc(manifestBytes + 1));
  if (bytesRead > manifestBytes) throw new Error('larger than a manifest is');
  return buffer.subarray(0, bytesRead).toString('utf8');
}
