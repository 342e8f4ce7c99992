/** Secrets on disk: one JSON file each, that only its owner can read. */
import { randomBytes } from 'node:crypto';
import { link, mkdir, open, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { GolemError, invalid } from '@vm-on-golem/shared/errors';
import type { z } from 'zod';

/**
 * Reads the secret in `path`; makes it by `generate` when there is no such file.
 * @throws {GolemError} `forbidden` when others can read the file, `invalid_request` when it holds
 * something else.
 */
export async function readOrCreateSecret<Schema extends z.ZodType>(
  path: string,
  schema: Schema,
  generate: () => Promise<z.output<Schema>>,
): Promise<z.output<Schema>> {
  const existing = await readSecret(path, schema);
  if (existing !== undefined) return existing;
  const made = await generate();
  if (await createSecret(path, JSON.stringify(made))) return made;
  const others = await readSecret(path, schema);
  if (others === undefined) throw new GolemError('internal', `${path} comes and goes.`);
  return others;
}

/** @returns undefined when there is no such file. */
async function readSecret<Schema extends z.ZodType>(
  path: string,
  schema: Schema,
): Promise<z.output<Schema> | undefined> {
  const text = await readPrivately(path);
  if (text === undefined) return undefined;
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new GolemError('invalid_request', `The key file ${path} is damaged.`, { cause });
  }
  const parsed = schema.safeParse(json);
  if (!parsed.success) throw invalid(`The key file ${path}`, parsed.error);
  return parsed.data;
}

async function readPrivately(path: string): Promise<string | undefined> {
  let file;
  try {
    file = await open(path, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  await using handle = file;
  const { mode } = await handle.stat();
  if (process.platform !== 'win32' && (mode & 0o077) !== 0) {
    throw new GolemError('forbidden', `Others can read the key file ${path}.`, {
      hint: `Run: chmod 600 ${path}`,
    });
  }
  return handle.readFile('utf8');
}

/**
 * The file appears whole or not at all, and never takes the place of another.
 * @returns false when there is one already.
 */
async function createSecret(path: string, text: string): Promise<boolean> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const draft = `${path}.${randomBytes(6).toString('hex')}`;
  {
    await using handle = await open(draft, 'wx', 0o600);
    await handle.writeFile(`${text}\n`);
    await handle.sync();
  }
  try {
    await link(draft, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  } finally {
    await unlink(draft);
  }
}
