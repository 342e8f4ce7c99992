/** `golem-provider init`: writes the configuration, from flags or by asking. */
import { resolve } from 'node:path';
import { GolemError } from '@vm-on-golem/shared/errors';
import type { Prices } from '@vm-on-golem/shared/money';
import { parseUsd } from '@vm-on-golem/shared/usd';
import { SIZES } from '@vm-on-golem/shared/vm';
import { existingAbove, readMachine } from '../host/capacity.ts';
import { checkText } from '../config/config.ts';
import { variableOf } from '../config/setting.ts';
import { settingOf, SETTING_NAMES, SETTINGS, type SettingName } from '../config/settings.ts';
import { configFile, type Flags } from '../config/sources.ts';
import { configTemplate } from '../config/template.ts';
import { refuseIfThere, writeConfigFile } from '../config/write.ts';
import { pricingLines } from '../presenters/pricing.ts';
import { bill, memory, resources } from '../presenters/units.ts';
import { ask, isInteractive } from '../terminal.ts';
import { command, type Surroundings } from './command.ts';

type Answers = Partial<Record<SettingName, string>>;

/** A machine that is rented out stays one's own: half of it, and of the disk less. */
const SHARES = { cpus: '50%', memory: '50%', storage: '25%' } as const;
const PRICES = ['price-cpu', 'price-memory', 'price-storage'] as const;

export const init = command({
  usage: '',
  args: { min: 0, max: 0 },
  examples: [
    'golem-provider init',
    'golem-provider init --discovery https://discovery.example --name attic --cpus 50%',
  ],
  settings: SETTING_NAMES,
  options: [{ name: 'force', help: 'replace a configuration that is there' }],
  run: async (input, around) => {
    const { file } = configFile(input.flags, around.env);
    const replace = input.options['force'] === true;
    // Before anybody answers questions for nothing.
    if (!replace) refuseIfThere(file);
    const given = fromFlags(input.flags);
    const answers = isInteractive(around) ? await askFor(given, around) : given;
    const values = { ...SHARES, ...answers };
    if (values.discovery === undefined) {
      throw new GolemError('usage', 'There is nobody to ask: which discovery service?', {
        hint: 'Give --discovery URL.',
      });
    }
    await writeConfigFile(file, configTemplate(values), { replace });
    return { file, settings: values, prices: pricesIn(values) };
  },
  present: ({ file, prices }) => [
    `Written to ${file}`,
    '',
    ...pricingLines(prices),
    '',
    'Next: golem-provider doctor says whether this machine can do it, golem-provider start does it,',
    'and golem-provider service install does it whenever the machine runs.',
  ],
});

function fromFlags(flags: Flags): Answers {
  const answers: Answers = {};
  for (const name of SETTING_NAMES) {
    const flag = flags[name];
    if (flag === undefined) continue;
    const said = typeof flag === 'object' ? flag : [String(flag)];
    const values = settingOf(name).path ? said.map((path) => resolve(path)) : said;
    for (const value of values) checkText(name, value, `--${name}`);
    answers[name] = values.join(',');
  }
  return answers;
}

async function askFor(given: Answers, around: Surroundings): Promise<Answers> {
  const { env, stderr } = around;
  const answers = { ...given };
  const dataDir =
    answers['data-dir'] ?? env[variableOf('data-dir')] ?? SETTINGS['data-dir'].default(env);
  const machine = await readMachine(existingAbove(dataDir));
  const question = async (name: SettingName, text: string, fallback?: string) => {
    answers[name] ??= await ask(around, {
      text,
      ...(fallback === undefined ? {} : { fallback }),
      check: (answer) => void checkText(name, answer, name),
    });
  };
  stderr.write('Rent out a part of this machine. An empty answer takes what is in brackets.\n\n');
  await question(
    'discovery',
    'URL of the discovery service to be listed at',
    env['GOLEM_PROVIDER_DISCOVERY'],
  );
  await question('name', 'A name that renters see', SETTINGS.name.default());
  await question('cpus', `How many of its ${machine.cpus} CPUs`, SHARES.cpus);
  await question('memory', `How much of its ${memory(machine.memoryMiB)} of memory`, SHARES.memory);
  await question(
    'storage',
    `How much of its ${machine.freeStorageGiB} GiB of free disk`,
    SHARES.storage,
  );
  if (PRICES.every((name) => answers[name] === undefined)) {
    const standard = pricesIn({});
    const usual = (bill(standard, SIZES.small).month / 1e9).toFixed(2);
    const month = await ask(around, {
      text: `What a small VM (${resources(SIZES.small)}) costs a month, in dollars`,
      fallback: usual,
      check: checkMonthly,
    });
    if (month !== usual) Object.assign(answers, scaled(standard, month));
  }
  stderr.write('\n');
  return answers;
}

/** Beyond this somebody has forgotten the point. */
const MAX_MONTHLY = 1000e9;

function checkMonthly(answer: string): void {
  const wanted = parseUsd(answer);
  if (wanted === undefined || wanted > MAX_MONTHLY) {
    throw new GolemError('usage', 'Say it in dollars such as 5 or 7.50, 1000 at most.');
  }
}

/** All three prices higher or lower, so that a small VM comes to what was said. */
function scaled(standard: Prices, month: string): Answers {
  const factor = (parseUsd(month) ?? 0) / bill(standard, SIZES.small).month;
  const price = (nanoUsd: number) =>
    (Math.round(nanoUsd * factor) / 1e9).toFixed(9).replace(/\.?0+$/, '');
  return {
    'price-cpu': price(standard.cpuHour),
    'price-memory': price(standard.memoryGiBHour),
    'price-storage': price(standard.storageGiBHour),
  };
}

function pricesIn(values: Answers): Prices {
  const [cpu, memory, storage] = PRICES.map(
    (name) => checkText(name, values[name] ?? SETTINGS[name].default, name) as number,
  );
  return { cpuHour: cpu ?? 0, memoryGiBHour: memory ?? 0, storageGiBHour: storage ?? 0 };
}
