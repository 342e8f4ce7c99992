/** Which version this is. Imports next to nothing: it is asked for by scripts, all the time. */
import manifest from '../../package.json' with { type: 'json' };

/** Whether nothing but the version is wanted, so that no command has to be loaded to say it. */
export function asksForVersion(argv: readonly string[]): boolean {
  const [word, ...others] = argv;
  return others.length === 0 && (word === '--version' || word === '-V' || word === 'version');
}

export function ownVersion(): string {
  return manifest.version;
}
