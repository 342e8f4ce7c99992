/** The agent that a command is about. */
import { readSetting } from '../config/config.ts';
import { ControlClient } from '../control/client.ts';
import type { Input, Surroundings } from './command.ts';

/** For commands with the setting `data-dir`: it is by its folder that an agent is found. */
export function runningAgent({ flags }: Input, { env }: Surroundings): ControlClient {
  return new ControlClient(readSetting('data-dir', flags, env));
}
