/** `npm run build`: the programs as people install them, without the workspace links. */
import { build } from 'esbuild';
import { copyFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { BUNDLED, IN_PARTS, mainOf, root, versionOf } from './bundle.ts';
import { writeDeclarations } from './declarations.ts';
import { licensesOf } from './licenses.ts';
import { QUICK_GOLEM } from './startup.ts';

for (const workspace of ['cli', 'agent'] as const) {
  const outdir = join(root, workspace, 'dist');
  // Parts of an earlier build have other names.
  rmSync(outdir, { recursive: true, force: true });
  const { metafile } = await build({
    ...BUNDLED,
    entryPoints: [mainOf(workspace)],
    outdir,
    ...IN_PARTS,
    plugins: workspace === 'cli' ? QUICK_GOLEM : [],
    metafile: true,
  });
  writeFileSync(join(outdir, 'LICENSES.txt'), licensesOf(metafile));
  // npm packs the licence that is in the package's own folder.
  copyFileSync(join(root, 'LICENSE'), join(root, workspace, 'LICENSE'));
  const outputs = Object.values(metafile.outputs);
  const kibibytes = Math.round(outputs.reduce((sum, { bytes }) => sum + bytes, 0) / 1024);
  console.log(
    `${workspace} ${versionOf(workspace)}: ${join(outdir, 'main.js')} (${kibibytes} KiB, ${outputs.length} files)`,
  );
}

// For programs in Node, in Workers and in browsers: nothing of Node is in it.
const sdk = join('cli', 'src', 'sdk', 'index.ts');
await build({
  ...BUNDLED,
  entryPoints: [sdk],
  outfile: join(root, 'cli', 'dist', 'sdk.js'),
  format: 'esm',
  platform: 'neutral',
  mainFields: ['module', 'main'],
  external: [],
});
writeDeclarations(sdk, join(root, 'cli', 'dist', 'types'));
