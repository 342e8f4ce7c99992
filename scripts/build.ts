/** `npm run build`: one file for each program, without the workspace links. */
import { build } from 'esbuild';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');

for (const workspace of ['cli', 'agent']) {
  const { version } = JSON.parse(readFileSync(join(root, workspace, 'package.json'), 'utf8')) as {
    version: string;
  };
  const outfile = join(root, workspace, 'dist', 'main.js');
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: [join(workspace, 'src', 'main.ts')],
    outfile,
    bundle: true,
    platform: 'node',
    target: 'node24',
    format: 'esm',
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
  const bytes = Object.values(metafile.outputs)[0]?.bytes ?? 0;
  console.log(`${workspace} ${version}: ${outfile} (${Math.round(bytes / 1024)} KiB)`);
}
