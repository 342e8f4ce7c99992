/** Which version this is. Imports nothing of ours: it is asked for by scripts, all the time. */
import { readFileSync } from 'node:fs';

export function asksForVersion([first, ...rest]: readonly string[]): boolean {
  if (first === '--version' || first === '-V') return true;
  return first === 'version' && rest.every((word) => word !== '-h' && word !== '--help');
}

export function versionText(argv: readonly string[]): string {
  const file = new URL('../package.json', import.meta.url);
  const { version } = JSON.parse(readFileSync(file, 'utf8')) as { version: string };
  const [, ...rest] = argv;
  const isJson = /(?:^| )(?:-o[ =]?|--output[ =])json(?: |$)/.test(rest.join(' '));
  return isJson
    ? `${JSON.stringify({ version, node: process.versions.node })}\n`
    : `golem ${version}\n`;
}
