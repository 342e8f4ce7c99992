/** That the bundle of `golem` is as quick to start as its parts allow. */
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { BUNDLED, IN_PARTS, mainOf, versionOf } from '../scripts/bundle.ts';
import { QUICK_GOLEM } from '../scripts/startup.ts';
import { run } from './golem.ts';

/** Writes what was loaded, of the bundle and of Node, to the file that GOLEM_TEST_LOADED names. */
const HOOK = `
import { registerHooks } from 'node:module';
const { writeFileSync } = process.getBuiltinModule('node:fs');
const files = new Set();
const before = new Set(process.moduleLoadList);
registerHooks({ resolve: (name, context, next) => {
  const found = next(name, context);
  files.add(found.url);
  return found;
} });
process.on('exit', () => {
  const node = process.moduleLoadList.filter((each) => !before.has(each));
  writeFileSync(process.env.GOLEM_TEST_LOADED, JSON.stringify({ files: [...files], node }));
});
`;

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'golem-startup-'));
  await mkdir(join(dir, 'home'));
  await writeFile(join(dir, 'hook.mjs'), HOOK);
  await writeFile(join(dir, 'package.json'), '{ "type": "module" }');
  await build({
    ...BUNDLED,
    ...IN_PARTS,
    ...{ entryPoints: [mainOf('cli')], outdir: join(dir, 'dist') },
    plugins: QUICK_GOLEM,
  });
});
afterAll(() => rm(dir, { recursive: true, force: true }));

async function loadedBy(...words: readonly string[]) {
  const loaded = join(dir, 'loaded.json');
  const command = [process.execPath, '--import', join(dir, 'hook.mjs'), join(dir, 'dist/main.js')];
  const { status, stdout, stderr } = await run([...command, ...words], {
    env: { GOLEM_HOME: join(dir, 'home'), GOLEM_TEST_LOADED: loaded, NO_COLOR: '1' },
  });
  if (status !== 0) throw new Error(stderr);
  const { files, node } = JSON.parse(await readFile(loaded, 'utf8')) as Record<string, string[]>;
  const parts = files?.filter((url) => url.includes('/dist/')) ?? [];
  return { stdout, parts, node: node ?? [] };
}

test('what reads the cache alone is in a handful of files, and leaves streams and sockets alone', async () => {
  const { stdout, parts, node } = await loadedBy('vm', 'list', '--cached');
  expect(stdout).toMatch(/^NAME\tSTATE\t/);
  expect(parts.length).toBeLessThanOrEqual(9);
  expect(node.filter((name) => / (stream|net|fs\/promises|readline|crypto)$/.test(name))).toEqual(
    [],
  );
});

test('what is answered at once does not load what all others do', async () => {
  const { stdout, parts } = await loadedBy('--version');
  expect(stdout).toBe(`golem ${versionOf('cli')}\n`);
  const core = await loadedBy('vm', 'list', '--cached');
  expect(parts.length).toBeLessThan(core.parts.length);
  const tab = await loadedBy('__complete', 'vm', 'st');
  const program = core.parts.filter((url) => url.includes('/program-'));
  expect(program).toHaveLength(1);
  for (const url of program) {
    expect(parts).not.toContain(url);
    expect(tab.parts).not.toContain(url);
  }
});

test('what is loaded later works from there, packages as well', async () => {
  const { stdout } = await loadedBy('config', 'list', '-o', 'yaml');
  expect(stdout).toMatch(/^- name: discovery$/m);
  expect((await loadedBy('key', '--help')).stdout).toMatch(/golem key backup/);
});
