/** The types of the SDK as they are shipped: those of this repository and of zod, which need nothing else. */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { root } from './bundle.ts';

/** A module that is named by a path with an ending, by a package of ours, or as zod. */
const SPECIFIER = /(from |import\()(['"])(\.[^'"]*\.ts|@vm-on-golem\/shared\/[^'"]+|zod)\2/g;

/**
 * Writes what `source` declares, and what that needs, below `folder`. There as here: `cli/src/...`,
 * `shared/src/...`; and `zod/...`.
 *
 * @param source such as `cli/src/sdk/index.ts`
 */
export function writeDeclarations(source: string, folder: string): void {
  const work = mkdtempSync(join(tmpdir(), 'types-'));
  try {
    const config = join(work, 'tsconfig.json');
    writeFileSync(config, JSON.stringify(configOf(source, folder)));
    execFileSync(join(root, 'node_modules/.bin/tsc'), ['-p', config], { stdio: 'inherit' });
  } finally {
    rmSync(work, { recursive: true });
  }
  for (const file of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    if (!file.endsWith('.d.ts')) continue;
    const text = readFileSync(join(folder, file), 'utf8');
    writeFileSync(join(folder, file), resolved(text, dirname(file)));
  }
  const zod = join(root, 'node_modules/zod');
  cpSync(zod, join(folder, 'zod'), {
    recursive: true,
    filter: (path) => !/\.[^/]*$/.test(relative(zod, path)) || path.endsWith('.d.ts'),
  });
}

function configOf(source: string, outDir: string) {
  return {
    extends: join(root, 'cli/tsconfig.json'),
    compilerOptions: {
      ...{ noEmit: false, declaration: true, emitDeclarationOnly: true },
      // Through its package it would be somebody else's, of which nothing is written.
      paths: { '@vm-on-golem/shared/*': [join(root, 'shared/src/*.ts')] },
      ...{ outDir, rootDir: root, typeRoots: [join(root, 'node_modules/@types')] },
    },
    ...{ files: [join(root, source)], include: [] },
  };
}

/** Names every module by the path of its JavaScript, which is how types of it are found. */
function resolved(text: string, from: string): string {
  return text.replace(SPECIFIER, (_, before: string, quote: string, name: string) => {
    const path = name.startsWith('.') ? name : below(from, name);
    return `${before}${quote}${path.replace(/\.ts$/, '.js')}${quote}`;
  });
}

function below(from: string, name: string): string {
  const target =
    name === 'zod' ? 'zod/index.js' : `shared/src/${name.split('/').slice(2).join('/')}.js`;
  return relative(from, target);
}
