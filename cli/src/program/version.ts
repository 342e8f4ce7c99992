/** Which version this is. Imports next to nothing: it is asked for by scripts, all the time. */
import manifest from '../../package.json' with { type: 'json' };

/** Where `golem version` asks for the newest one; unset, it asks nobody. */
export const UPDATE_VARIABLE = 'GOLEM_UPDATE_URL';

/** Whether nothing but the version is wanted, so that no command has to be loaded to say it. */
export function asksForVersion(
  [word, ...others]: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): boolean {
  if (others.length > 0) return false;
  return word === '--version' || word === '-V' || (word === 'version' && !env[UPDATE_VARIABLE]);
}

export function ownVersion(): string {
  return manifest.version;
}
