/** The file of contexts as it is, also where the one that is chosen is not in it. */
import { readConfig, type Config } from '../../state/config.ts';
import type { Home } from '../../state/home.ts';

/** @throws {GolemError} when it cannot be read */
export function storedConfig({ config, paths, problem }: Home): Config {
  return problem ? readConfig(paths.config) : config;
}
