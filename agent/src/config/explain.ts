/** Every setting, what it is, where that was said, and what it overrides. */
import { settingOf, SETTING_NAMES, type SettingName } from './settings.ts';
import { originText, type Candidate, type Sources } from './sources.ts';

/** In the words in which it was said. */
type Value = string | string[];

export interface Explained {
  readonly name: SettingName;
  /** Null when nobody set it and it has no default. */
  readonly value: Value | null;
  /** `--cpus`, `GOLEM_PROVIDER_CPUS`, `/etc/x.toml:3`, `default` or `unset`. */
  readonly origin: string;
  /** What was said elsewhere and does not count, the next in line first. */
  readonly overrides: { readonly value: Value; readonly origin: string }[];
  /** A running agent takes a new value over. */
  readonly live: boolean;
  /** A running agent has another value, until it is started again. */
  readonly waiting: boolean;
}

export function explainSources(
  { candidates }: Pick<Sources, 'candidates'>,
  waiting: readonly SettingName[] = [],
): Explained[] {
  return SETTING_NAMES.map((name) => {
    const [winner, ...others] = candidates[name];
    return {
      name,
      value: winner ? valueOf(winner) : null,
      origin: winner ? originText(winner.origin) : 'unset',
      overrides: others.map((other) => ({
        value: valueOf(other),
        origin: originText(other.origin),
      })),
      live: settingOf(name).live ?? false,
      waiting: waiting.includes(name),
    };
  });
}

function valueOf({ text }: Candidate): Value {
  return typeof text === 'string' ? text : [...text];
}
