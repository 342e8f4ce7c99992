/** Which version this is. Imports next to nothing: it is asked for by scripts, all the time. */
import { readFileSync } from 'node:fs';
import { PACKAGE_FILE } from '../self.ts';

/** Whether nothing but the version is wanted, so that no command has to be loaded to say it. */
export function asksForVersion(argv: readonly string[]): boolean {
  const [word, ...others] = argv;
  return others.length === 0 && (word === '--version' || word === '-V' || word === 'version');
}

export function ownVersion(): string {
  const { version } = JSON.parse(readFileSync(PACKAGE_FILE, 'utf8')) as { version: string };
  return version;
}
