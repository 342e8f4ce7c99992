/** Which version this is. Imports next to nothing: it is asked for by scripts, all the time. */
import { readFileSync } from 'node:fs';
import { PACKAGE_FILE } from '../self.ts';

export function asksForVersion([first, ...rest]: readonly string[]): boolean {
  if (first === '--version' || first === '-V') return true;
  return first === 'version' && rest.every((word) => word !== '-h' && word !== '--help');
}

export function versionText(argv: readonly string[]): string {
  const { version } = JSON.parse(readFileSync(PACKAGE_FILE, 'utf8')) as { version: string };
  const [, ...rest] = argv;
  const isJson = /(?:^| )(?:-o[ =]?|--output[ =])json(?: |$)/.test(rest.join(' '));
  return isJson
    ? `${JSON.stringify({ version, node: process.versions.node })}\n`
    : `golem ${version}\n`;
}
