/** Times as people write them. */
import { GolemError } from '@vm-on-golem/shared/errors';

/** @param name of the option that has it @returns milliseconds */
export function readDuration(name: string, text: string): number {
  const match = /^(\d{1,6})(s|m|h|d)$/.exec(text);
  const unit = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }[match?.[2] ?? ''];
  if (match && unit) return Number(match[1]) * unit;
  throw new GolemError('usage', `'${text}' is no duration for --${name}.`, {
    hint: 'Say it like 90s, 10m, 2h or 7d.',
  });
}
