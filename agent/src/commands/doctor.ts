/** `golem-provider doctor`: what keeps this machine from being a good host, and what helps. */
import { EXIT, GolemError } from '@vm-on-golem/shared/errors';
import { loadConfig, readSetting } from '../config/config.ts';
import { SETTING_NAMES } from '../config/settings.ts';
import { ControlClient } from '../control/client.ts';
import type { Checkup } from '../doctor/check.ts';
import { examine, type Diagnosis } from '../doctor/doctor.ts';
import { diagnosisLines, summaryLine } from '../presenters/diagnosis.ts';
import { wantsColour } from '../presenters/screen.ts';
import { command, type Input, type Surroundings } from './command.ts';
import { untilInterrupted } from './interruption.ts';

export const doctor = command({
  usage: '',
  args: { min: 0, max: 0 },
  examples: [
    'golem-provider doctor',
    'sudo golem-provider doctor --config /etc/golem-provider.toml',
  ],
  settings: SETTING_NAMES,
  options: [{ name: 'quick', help: 'boot no guest to see what guests reach' }],
  run: async (input, around) => {
    using interruption = untilInterrupted(around);
    const found: Diagnosis[] = [];
    const progress = progressOn(around, input.asJson);
    const paper = {
      colour: wantsColour(around.stdout.isTTY, around.env),
      columns: around.stdout.isTTY ? around.stdout.columns : undefined,
    };
    const show = (lines: readonly string[]) => {
      if (!input.asJson) around.stdout.write(`${lines.join('\n')}\n`);
    };
    try {
      const checkup = await checkupOf(input, around, interruption.signal);
      for await (const one of examine(checkup, progress.begins)) {
        progress.clear();
        found.push(one);
        show(diagnosisLines(one, paper));
      }
    } catch (error) {
      if (!interruption.signal.aborted) throw error;
      throw new GolemError('interrupted', undefined, { cause: error });
    }
    const healthy = found.every(({ level }) => level !== 'failure');
    show(['', summaryLine(found)]);
    if (input.asJson) around.stdout.write(`${JSON.stringify({ healthy, found })}\n`);
    return healthy;
  },
  exitCode: (healthy) => (healthy ? EXIT.ok : EXIT.failure),
});

/** What is looked at now, on a terminal: booting a guest takes a while. */
function progressOn({ stderr }: Surroundings, asJson: boolean) {
  const shows = stderr.isTTY && !asJson;
  return {
    begins: (check: string) => void (shows && stderr.write(`...   ${check}`)),
    clear: () => void (shows && stderr.write('\r\u001b[K')),
  };
}

async function checkupOf(
  { flags, options }: Input,
  { env }: Surroundings,
  signal: AbortSignal,
): Promise<Checkup> {
  const loaded = unlessWrong(() => loadConfig(flags, env));
  const quick = options['quick'] === true;
  // An agent may run on while its file is wrong, which is a finding of its own.
  const dataDir = unlessWrong(() => readSetting('data-dir', flags, env, () => undefined));
  const heard = dataDir === undefined ? {} : await listen(dataDir);
  return {
    flags,
    env,
    loaded,
    dataDir,
    status: undefined,
    silence: undefined,
    ...heard,
    quick,
    signal,
    now: Date.now,
  };
}

async function listen(dataDir: string): Promise<Partial<Pick<Checkup, 'status' | 'silence'>>> {
  try {
    return { status: await new ControlClient(dataDir).status() };
  } catch (error) {
    if (!(error instanceof GolemError)) throw error;
    return error.code === 'not_running' ? {} : { silence: error };
  }
}

/** What is wrong with it is found by its own check. */
function unlessWrong<Value>(read: () => Value): Value | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof GolemError) return undefined;
    throw error;
  }
}
