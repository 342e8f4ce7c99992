/** The licences of what is bundled, which have to go where it goes. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Metafile } from 'esbuild';
import { root } from './bundle.ts';

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly license?: string;
}

/** One text with a part for every npm package that has something in the bundle, by name. */
export function licensesOf({ inputs }: Metafile): string {
  const folders = new Set(Object.keys(inputs).flatMap((input) => packageFolder(input) ?? []));
  return [...folders]
    .sort()
    .map((folder) => partOf(join(root, folder)))
    .join('\n');
}

/** @param input such as `node_modules/@hpke/core/esm/mod.js`, or a source of ours */
function packageFolder(input: string): string | undefined {
  return /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(input)?.[0];
}

function partOf(folder: string): string {
  const { name, version, license } = JSON.parse(
    readFileSync(join(folder, 'package.json'), 'utf8'),
  ) as Manifest;
  const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
  const text = file ? readFileSync(join(folder, file), 'utf8') : '';
  return `${name} ${version} (${license ?? 'see below'})\n\n${text.trim()}\n`;
}
