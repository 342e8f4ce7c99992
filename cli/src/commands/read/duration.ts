/** Times as people write them. */
import { GolemError } from '@vm-on-golem/shared/errors';
import { LIMITS } from '@vm-on-golem/shared/limits';

/** Seconds that a VM is rented for at least. */
const LIFE_MIN_SECONDS = 60;

/** @param name of the option that has it @returns milliseconds */
export function readDuration(name: string, text: string): number {
  const match = /^(\d{1,6})(s|m|h|d)$/.exec(text);
  const unit = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }[match?.[2] ?? ''];
  if (match && unit) return Number(match[1]) * unit;
  throw new GolemError('usage', `'${text}' is no duration for --${name}.`, {
    hint: 'Say it like 90s, 10m, 2h or 7d.',
  });
}

/** How long a VM is to live, or to be rented. @returns seconds @throws {GolemError} `usage` */
export function readLife(name: string, text: string): number {
  const seconds = readDuration(name, text) / 1000;
  if (seconds >= LIFE_MIN_SECONDS && seconds <= LIMITS.vm.lifeSeconds) return seconds;
  throw new GolemError(
    'usage',
    `--${name} is a minute to ${LIMITS.vm.lifeSeconds / 86_400} days.`,
    {
      hint: 'Say it like 90s, 10m, 2h or 7d.',
    },
  );
}
