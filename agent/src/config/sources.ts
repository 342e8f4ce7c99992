/** Where settings come from: flags before the environment before the file before defaults. */
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import type { GolemError } from '@vm-on-golem/shared/errors';
import { readConfigFile, readOneSetting, type FileEntries } from './file.ts';
import { variableOf, VARIABLE_PREFIX, type Environment } from './setting.ts';
import { settingOf, SETTING_NAMES, type SettingName } from './settings.ts';

export type Flags = Readonly<
  Partial<Record<SettingName | 'config', string | boolean | readonly string[]>>
>;

export type Origin =
  | { readonly kind: 'flag'; readonly flag: string }
  | { readonly kind: 'variable'; readonly variable: string }
  | { readonly kind: 'file'; readonly file: string; readonly line: number }
  | { readonly kind: 'default' };

export interface Candidate {
  readonly origin: Origin;
  readonly text: string | readonly string[];
}

export interface Sources {
  /** The file that was read, or would be read if it were there. */
  readonly file: string;
  readonly hasFile: boolean;
  /** What was said of each setting: what counts comes first, then what it overrides. */
  readonly candidates: Readonly<Record<SettingName, readonly Candidate[]>>;
  /** Variables that look like settings and are none. */
  readonly unknownVariables: readonly string[];
}

/** Where the configuration is, or would be. `isSaid`: somebody named it, and it has to be there. */
export function configFile(flags: Flags, env: Environment): { file: string; isSaid: boolean } {
  const said = flags.config ?? env[CONFIG_VARIABLE];
  if (typeof said === 'string' && said !== '') return { file: resolve(said), isSaid: true };
  const base = env['XDG_CONFIG_HOME'] || join(homedir(), '.config');
  return { file: join(base, 'golem-provider', 'config.toml'), isSaid: false };
}

/** @throws {GolemError} `usage` when there is a file and it is wrong, or none where one was said to be */
export function readSources(flags: Flags, env: Environment): Sources {
  const { file, isSaid } = configFile(flags, env);
  const hasFile = isSaid || existsSync(file);
  const entries = hasFile ? readConfigFile(file) : {};
  const candidates = Object.fromEntries(
    SETTING_NAMES.map((name) => [
      name,
      [...candidatesFor(name, { flags, env, file, entryOf: () => entries[name] })],
    ]),
  ) as unknown as Sources['candidates'];
  return { file, hasFile, candidates, unknownVariables: unknownVariables(env) };
}

/**
 * What counts of one setting. The file is opened only where neither flag nor variable says it.
 * @param warn told what is wrong with the file elsewhere; without it that is thrown
 * @throws {GolemError} `usage` when the file does not say what this setting is
 */
export function winnerOf(
  name: SettingName,
  { flags, env }: Pick<Said, 'flags' | 'env'>,
  warn?: (problem: GolemError) => void,
): Candidate | undefined {
  const { file, isSaid } = configFile(flags, env);
  const entryOf = () => {
    if (!isSaid && !existsSync(file)) return undefined;
    return warn ? readOneSetting(file, name, warn) : readConfigFile(file)[name];
  };
  const [winner] = candidatesFor(name, { flags, env, file, entryOf });
  return winner;
}

/** For messages: `--cpus`, `GOLEM_PROVIDER_CPUS`, `/etc/x.toml:3`. */
export function originText(origin: Origin): string {
  if (origin.kind === 'flag') return origin.flag;
  if (origin.kind === 'variable') return origin.variable;
  return origin.kind === 'file' ? `${origin.file}:${origin.line}` : 'default';
}

const CONFIG_VARIABLE = variableOf('config');

interface Said {
  readonly flags: Flags;
  readonly env: Environment;
  readonly file: string;
  readonly entryOf: () => FileEntries[SettingName];
}

function* candidatesFor(name: SettingName, said: Said): Generator<Candidate> {
  const { multiple, default: fallback } = settingOf(name);
  const flag = said.flags[name];
  if (flag !== undefined) {
    const given = typeof flag === 'boolean' ? String(flag) : flag;
    yield {
      origin: { kind: 'flag', flag: `--${name}` },
      text: located(name, given, process.cwd()),
    };
  }
  const variable = variableOf(name);
  const value = said.env[variable];
  if (value !== undefined && value !== '') {
    const given = multiple ? value.split(',') : value;
    yield { origin: { kind: 'variable', variable }, text: located(name, given, process.cwd()) };
  }
  const entry = said.entryOf();
  if (entry) {
    const { line, text } = entry;
    const { file } = said;
    yield { origin: { kind: 'file', file, line }, text: located(name, text, dirname(file)) };
  }
  if (multiple) yield { origin: { kind: 'default' }, text: [] };
  else if (fallback !== undefined) {
    const text = typeof fallback === 'function' ? fallback(said.env) : fallback;
    yield { origin: { kind: 'default' }, text: located(name, text, process.cwd()) };
  }
}

/** Paths become absolute where it is known what they are relative to. */
function located(
  name: SettingName,
  text: string | readonly string[],
  base: string,
): string | readonly string[] {
  if (!settingOf(name).path) return text;
  const locate = (path: string) =>
    path === '' || path === '-' ? path : resolve(base, path.replace(/^~(?=\/|$)/, homedir()));
  return typeof text === 'string' ? locate(text) : text.map(locate);
}

function unknownVariables(env: Environment): string[] {
  const known = new Set([...SETTING_NAMES.map(variableOf), CONFIG_VARIABLE]);
  return Object.keys(env).filter((key) => key.startsWith(VARIABLE_PREFIX) && !known.has(key));
}
