/** Changes of the configuration: written into its file, and told to the agent that runs. */
import { GolemError } from '@vm-on-golem/shared/errors';
import { checkTogether } from '../config/config.ts';
import { explainSources } from '../config/explain.ts';
import type { SettingName } from '../config/settings.ts';
import { configFile, readSources } from '../config/sources.ts';
import { textFor, writeSettings, type Change } from '../config/write.ts';
import type { ConfigView } from '../control/schemas.ts';
import type { Input, Surroundings } from './command.ts';
import { runningAgent } from './running.ts';

export interface Changed {
  /** Where it was written. */
  readonly file: string;
  /** Whether there is an agent that was told. */
  readonly isRunning: boolean;
  readonly settings: readonly {
    readonly name: SettingName;
    /** Null when it was taken out of the file. */
    readonly value: string | null;
    /**
     * - `now`: the running agent has taken it over
     * - `next-start`: the running agent has to be started again, or none runs
     * - `overridden`: something else was said where it counts more
     */
    readonly effect: 'now' | 'next-start' | 'overridden';
    /** What overrides it. */
    readonly by?: string;
  }[];
}

/** Of the running agent, if there is one; of what this very command was told, if there is none. */
export async function currentConfig(
  input: Input,
  around: Surroundings,
): Promise<ConfigView & { readonly isRunning: boolean }> {
  try {
    return { ...(await runningAgent(input, around).config()), isRunning: true };
  } catch (error) {
    if (!(error instanceof GolemError) || error.code !== 'not_running') throw error;
    const sources = readSources(input.flags, around.env);
    return { file: sources.file, settings: explainSources(sources), isRunning: false };
  }
}

/**
 * @throws {GolemError} `usage` when a value is wrong, `wrong_state` when the running agent would not be
 * found any more
 */
export async function changeSettings(
  changes: readonly Change[],
  input: Input,
  around: Surroundings,
): Promise<Changed> {
  const { file } = configFile(input.flags, around.env);
  const isMoved = changes.some(([name]) => name === 'data-dir');
  if (isMoved && (await currentConfig(input, around)).isRunning) {
    throw new GolemError('wrong_state', 'An agent runs, and is found by its data-dir.', {
      hint: 'Stop it first, with golem-provider stop. Its guests go on running.',
    });
  }
  const undo = await writeSettings(file, changes);
  const agent = runningAgent(input, around);
  let waiting: readonly string[] | undefined;
  try {
    waiting = await agent.reload().then(({ waiting }) => waiting, unlessNobodyRuns);
    if (!waiting) checkTogether(readSources(input.flags, around.env));
  } catch (error) {
    // The agent knows better what this machine can do: it goes on with what it had, and so does the file.
    await undo();
    throw error;
  }
  const config = await currentConfig(input, around);
  const settings = changes.map(([name, value]) => {
    const origin = config.settings.find((setting) => setting.name === name)?.origin ?? 'unset';
    const counts =
      value === undefined
        ? config.file === file && ['default', 'unset'].includes(origin)
        : origin.startsWith(`${file}:`);
    const said = { name, value: value === undefined ? null : textFor(name, value) };
    if (!counts) {
      const by = config.file === file ? origin : `the agent's own file, ${config.file}`;
      return { ...said, effect: 'overridden' as const, by };
    }
    const isNow = waiting !== undefined && !waiting.includes(name);
    return { ...said, effect: isNow ? ('now' as const) : ('next-start' as const) };
  });
  return { file, isRunning: config.isRunning, settings };
}

function unlessNobodyRuns(error: unknown): undefined {
  if (!(error instanceof GolemError) || error.code !== 'not_running') throw error;
}

export function changedLines({ file, isRunning, settings }: Changed): string[] {
  return [
    ...settings.map(({ name, value, effect, by }) => {
      const said = value === null ? `${name} is not set` : `${name} = ${value}`;
      if (effect === 'now') return `${said}: the running agent has taken it over`;
      if (effect === 'next-start') return `${said}: from the next start of the agent on`;
      return `${said}: without effect, as ${by} says otherwise`;
    }),
    ...(settings.some(({ effect }) => effect === 'next-start')
      ? [isRunning ? 'A start of the agent leaves its guests alone.' : 'No agent runs.']
      : []),
    `Written to ${file}`,
  ];
}
