/** What every bundle of the programs has in common. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { BuildOptions } from 'esbuild';

export const root = join(import.meta.dirname, '..');

/** Folder of each program, and what it is called. */
export const PROGRAMS = { cli: 'golem', agent: 'golem-provider' } as const;
export type Workspace = keyof typeof PROGRAMS;

export const BUNDLED = {
  absWorkingDir: root,
  bundle: true,
  platform: 'node',
  target: 'node24',
  // A program keeps its text in memory. Names stay, for the stacks in people's logs.
  ...{ minifyWhitespace: true, minifySyntax: true },
  // ssh2 runs without its native parts, and tries them inside a `try`.
  external: ['cpu-features', '*.node', 'bufferutil', 'utf-8-validate'],
  legalComments: 'none',
  logLevel: 'warning',
} satisfies BuildOptions;

/** As it is installed by npm. */
export const IN_PARTS = {
  format: 'esm',
  // What a command does not use, such as drivers of other hypervisors, it does not load. All beside
  // each other: programs find their package by the folder of what asks for it.
  ...{ splitting: true, chunkNames: '[name]-[hash]' },
  // CommonJS packages inside an ES module bundle call `require` for Node's own modules.
  banner: {
    js: "let loadNow; const require = (name) => (loadNow ??= process.getBuiltinModule('node:module').createRequire(import.meta.url))(name); const __dirname = import.meta.dirname;",
  },
} satisfies BuildOptions;

export function versionOf(workspace: Workspace): string {
  const manifest = readFileSync(join(root, workspace, 'package.json'), 'utf8');
  return (JSON.parse(manifest) as { version: string }).version;
}

export const mainOf = (workspace: Workspace) => join(workspace, 'src', 'main.ts');
