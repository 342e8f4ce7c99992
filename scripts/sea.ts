/**
 * `npm run sea [-- --dir DIR]`: `golem` and `golem-provider` as one file each, for the machine that this
 * runs on, with Node inside. See https://nodejs.org/api/single-executable-applications.html
 */
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { build } from 'esbuild';
import { BUNDLED, mainOf, PROGRAMS, root, versionOf, type Workspace } from './bundle.ts';

/** Where Node looks for what was put into it. */
const BLOB = 'NODE_SEA_BLOB';
const FUSE = 'NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2';
/** What the starter of the agent says to V8 (see agent/bin/golem-provider.js). */
const FLAGS = { cli: [], agent: ['--semi-space-growth-factor=1'] } as const;

if (process.platform !== 'linux') {
  console.error('sea: made for Linux; elsewhere executables have to be signed anew');
  process.exit(1);
}
const { values } = parseArgs({ options: { dir: { type: 'string', default: join(root, 'dist') } } });
const dir = resolve(values.dir);
mkdirSync(dir, { recursive: true });
for (const workspace of ['cli', 'agent'] as const) {
  const file = join(dir, PROGRAMS[workspace]);
  await makeExecutable(workspace, file);
  const mebibytes = Math.round(statSync(file).size / 2 ** 20);
  console.log(`${PROGRAMS[workspace]} ${versionOf(workspace)}: ${file} (${mebibytes} MiB)`);
}

async function makeExecutable(workspace: Workspace, file: string): Promise<void> {
  const work = mkdtempSync(join(tmpdir(), 'sea-'));
  try {
    const [main, config, blob] = [
      join(work, 'main.cjs'),
      join(work, 'sea.json'),
      join(work, 'blob'),
    ];
    await build({
      ...BUNDLED,
      entryPoints: [mainOf(workspace)],
      outfile: main,
      format: 'cjs',
      // There is no file to be told the place of, and nothing that asks when it is one file.
      define: { 'import.meta.url': '"file:///"' },
      // With its code cache Node cannot import, only require: all that is left are its own modules.
      supported: { 'dynamic-import': false },
    });
    const sea = {
      ...{ main, output: blob, execArgv: FLAGS[workspace] },
      ...{ disableExperimentalSEAWarning: true, useCodeCache: true },
    };
    writeFileSync(config, JSON.stringify(sea));
    execFileSync(process.execPath, ['--experimental-sea-config', config], { stdio: 'pipe' });

    const made = join(work, 'made');
    copyFileSync(process.execPath, made);
    chmodSync(made, 0o755);
    // What it says of Node's own notes is of no use; when it fails, it is thrown.
    execFileSync('postject', [made, BLOB, blob, '--sentinel-fuse', FUSE], { stdio: 'pipe' });
    copyFileSync(made, `${file}.new`);
    // A program that runs cannot be written over, and can be replaced.
    renameSync(`${file}.new`, file);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
