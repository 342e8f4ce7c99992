/** The agent that a command is about. */
import type { GolemError } from '@vm-on-golem/shared/errors';
import { readSetting } from '../config/config.ts';
import { ControlClient } from '../control/client.ts';
import type { Input, Surroundings } from './command.ts';

/**
 * For commands with the setting `data-dir`: it is by its folder that an agent is found. What is wrong
 * with the rest of the configuration is no reason not to find it, and said on stderr.
 */
export function runningAgent({ flags }: Input, { env, stderr }: Surroundings): ControlClient {
  const warn = ({ message, hint }: GolemError) =>
    void stderr.write(`golem-provider: ${[message, hint].filter(Boolean).join(' ')}\n`);
  return new ControlClient(readSetting('data-dir', flags, env, warn));
}
