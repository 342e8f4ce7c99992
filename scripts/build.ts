/** `npm run build`: the programs as people install them, without the workspace links. */
import { build } from 'esbuild';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');

for (const workspace of ['cli', 'agent']) {
  const { version } = JSON.parse(readFileSync(join(root, workspace, 'package.json'), 'utf8')) as {
    version: string;
  };
  const outdir = join(root, workspace, 'dist');
  // Parts of an earlier build have other names.
  rmSync(outdir, { recursive: true, force: true });
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: [join(workspace, 'src', 'main.ts')],
    outdir,
    bundle: true,
    platform: 'node',
    target: 'node24',
    format: 'esm',
    // What a command does not use, such as drivers of other hypervisors, it does not load. All beside
    // each other: programs find their package by the folder of what asks for it.
    ...{ splitting: true, chunkNames: '[name]-[hash]' },
    // A program keeps its text in memory. Names stay, for the stacks in people's logs.
    ...{ minifyWhitespace: true, minifySyntax: true },
    // CommonJS packages inside an ES module bundle call `require` for Node's own modules.
    banner: {
      js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url); const __dirname = import.meta.dirname;",
    },
    // ssh2 runs without its native parts, and tries them inside a `try`.
    external: ['cpu-features', '*.node', 'bufferutil', 'utf-8-validate'],
    legalComments: 'none',
    metafile: true,
    logLevel: 'warning',
  });
  const outputs = Object.values(metafile.outputs);
  const bytes = outputs.reduce((sum, output) => sum + output.bytes, 0);
  const files = outputs.length === 1 ? '' : `, ${outputs.length} files`;
  console.log(
    `${workspace} ${version}: ${join(outdir, 'main.js')} (${Math.round(bytes / 1024)} KiB${files})`,
  );
}
