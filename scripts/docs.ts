/** `npm run docs [-- --check]`: writes what is generated from the commands of `golem`. */
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { GROUPS, TOP } from '../cli/src/commands/index.ts';
import { manualOf } from '../cli/src/program/manual.ts';
import { pagesOf } from '../cli/src/program/pages.ts';
import { ownVersion } from '../cli/src/program/version.ts';

const root = join(import.meta.dirname, '..');
const MAN = 'docs/man';

const { values } = parseArgs({ options: { check: { type: 'boolean', default: false } } });
const pages = pagesOf(await manualOf({ groups: GROUPS, top: TOP }), ownVersion());

const stale: string[] = [];
for (const [path, text] of pages) {
  if ((await readFile(join(root, path), 'utf8').catch(absent)) !== text) stale.push(path);
}
const left = (await readdir(join(root, MAN)).catch(() => []))
  .map((name) => `${MAN}/${name}`)
  .filter((path) => !pages.has(path));

if (values.check) {
  for (const path of [...stale, ...left]) console.log(`stale: ${path}`);
  process.exitCode = stale.length + left.length === 0 ? 0 : 1;
} else {
  await mkdir(join(root, MAN), { recursive: true });
  for (const path of left) await rm(join(root, path));
  for (const path of stale) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), pages.get(path) ?? '');
  }
  console.log(`${pages.size} pages, ${stale.length} written, ${left.length} removed`);
}

function absent(error: NodeJS.ErrnoException): undefined {
  if (error.code === 'ENOENT') return undefined;
  throw error;
}
