/** What a command finds on this machine before it asks anybody: the context, its settings, its files. */
import { GolemError } from '@vm-on-golem/shared/errors';
import { closest } from '@vm-on-golem/shared/suggest';
import { NO_CONFIG, readConfig, type Config } from './config.ts';
import { pathsFrom, STANDARD_CONTEXT, type Environment, type Paths } from './paths.ts';
import { chosenContext, SETTINGS, valueOf, type Said, type Setting } from './settings.ts';

export interface Home {
  readonly context: Said;
  readonly config: Config;
  readonly paths: Paths;
  /** URL. */
  readonly discovery: string;
  /** The environment as it would be if every setting was made there: for programs that are started. */
  readonly env: Environment;
  valueOf(setting: Setting): Said;
  /** Files of another context. */
  pathsIn(context: string): Paths;
  /** Why the settings are not those that were meant, where a command runs all the same. */
  readonly problem?: GolemError;
}

/**
 * @param flag what `--context` says
 * @throws {GolemError} `not_found` for a context that there is none of
 */
export function openHome(env: Environment, flag?: string, home?: string): Home {
  const where = home === undefined ? {} : { home };
  const config = readConfig(pathsFrom(env, where).config);
  const context = chosenContext(config, env, flag);
  checkContext(config, context.value);
  return homeOf({ env, where, config, context });
}

/** What there is where the settings say nothing that helps. @param problem why they do not */
export function standardHome(env: Environment, problem: GolemError): Home {
  const context: Said = { value: STANDARD_CONTEXT, origin: 'default' };
  return { ...homeOf({ env, where: {}, config: NO_CONFIG, context }), problem };
}

function homeOf({
  env,
  where,
  config,
  context,
}: {
  readonly env: Environment;
  readonly where: { readonly home?: string };
  readonly config: Config;
  readonly context: Said;
}): Home {
  const pathsIn = (name: string) => {
    const hasOwnKey = config.contexts[name]?.ownKey === true;
    return pathsFrom(env, { ...where, context: name, hasOwnKey });
  };
  const valueHere = (setting: Setting) => valueOf(setting, config, env, context);
  const effective: Record<string, string | undefined> = { ...env };
  if (context.value !== STANDARD_CONTEXT || context.origin !== 'default') {
    effective['GOLEM_CONTEXT'] = context.value;
  }
  for (const setting of SETTINGS) {
    const { value, origin } = valueHere(setting);
    if (origin !== 'default') effective[setting.variable] = value;
  }
  return {
    ...{ context, config },
    paths: pathsIn(context.value),
    discovery: discoveryOf(valueHere),
    env: effective,
    valueOf: valueHere,
    pathsIn,
  };
}

/** Names of all contexts, the standard one first. */
export function contextNames({ contexts }: Config): string[] {
  const others = Object.keys(contexts).filter((name) => name !== STANDARD_CONTEXT);
  return [STANDARD_CONTEXT, ...others.sort()];
}

/** @throws {GolemError} `not_found` */
export function checkContext(config: Config, name: string): void {
  const names = contextNames(config);
  if (names.includes(name)) return;
  const guess = closest(name, names);
  throw new GolemError('not_found', `There is no context '${name}'.`, {
    hint: guess ? `Did you mean ${guess}?` : `There is ${names.join(', ')}: golem context list`,
  });
}

function discoveryOf(valueHere: Home['valueOf']): string {
  const setting = SETTINGS.find(({ name }) => name === 'discovery');
  if (!setting) throw new TypeError('the table of settings has no discovery');
  return valueHere(setting).value;
}
