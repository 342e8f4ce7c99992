/** Tables of rules in the kernel, by the program `nft`. */
import { attempt, command, type CommandOptions } from '../commands.ts';
import { parseCounters, type GuestCounts } from './counters.ts';

interface Place extends Pick<CommandOptions, 'user'> {
  /** The start of a command that enters another network namespace than the agent's. */
  readonly entering?: readonly string[];
}

/**
 * All at once, or nothing.
 * @throws {DriverError} `unavailable`
 */
export async function loadRules(rules: string, { entering = [], user }: Place = {}): Promise<void> {
  await command([...entering, 'nft', '-f', '-'], { input: rules, user });
}

/** @returns which tables there are */
export async function tableNames({ entering = [], user }: Place = {}): Promise<Set<string>> {
  const text = await command([...entering, 'nft', 'list', 'tables', 'inet'], { user });
  return new Set([...text.matchAll(/^table inet (\S+)$/gm)].map(([, name = '']) => name));
}

/** @returns what was counted by name of the guest; undefined when the table is not there */
export async function readCounters(
  table: string,
  { entering = [], user }: Place = {},
): Promise<Map<string, GuestCounts> | undefined> {
  const words = ['nft', '-j', 'list', 'counters', 'table', 'inet', table];
  const { status, stdout } = await attempt([...entering, ...words], { user });
  return status === 0 ? parseCounters(stdout) : undefined;
}
