/** The migrations that are committed are those that drizzle-kit makes of the schema. */
import { execFileSync } from 'node:child_process';
import { cp, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';

const workspace = join(import.meta.dirname, '..');
const kit = join(workspace, '..', 'node_modules/.bin/drizzle-kit');

let scratch: string;
beforeEach(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'golem-migrations-'));
});
afterEach(() => rm(scratch, { recursive: true }));

/** @returns what drizzle-kit adds to `migrations` for the schema as it is */
async function generate(migrations: string): Promise<string[]> {
  const before = await readdir(migrations);
  const schema = join(workspace, 'src/db/schema.ts');
  const args = ['generate', '--dialect', 'sqlite', '--schema', schema, '--out', migrations];
  execFileSync(kit, args, { cwd: scratch, stdio: 'pipe' });
  const after = await readdir(migrations);
  return after.filter((name) => name.endsWith('.sql') && !before.includes(name));
}

test('nothing is missing from the committed migrations', async () => {
  const copy = join(scratch, 'migrations');
  await cp(join(workspace, 'migrations'), copy, { recursive: true });
  expect(await generate(copy)).toEqual([]);
});

test('a schema without migrations would be noticed', async () => {
  const empty = await mkdtemp(join(scratch, 'empty-'));
  expect(await generate(empty)).toHaveLength(1);
});
