/** How the text of one setting becomes its value. The same text means the same everywhere. */
import { isAbsolute } from 'node:path';
import { requestorIdSchema } from '@vm-on-golem/shared/ids';
import { MAX_UNIT_PRICE } from '@vm-on-golem/shared/money';
import { parseUsd } from '@vm-on-golem/shared/usd';
import * as z from 'zod';
import {
  contains,
  network,
  NEVER_PUBLIC,
  parseNetwork,
} from '../drivers/qemu/network/addresses.ts';

/**
 * A part of this machine: so much of it, in the unit of its setting, or percent of what there is.
 * What percent come to is known only where the machine is, in `capacity.ts`.
 */
export type Share = { readonly amount: number } | { readonly percent: number };

const MIB_OF = { M: 1, G: 1024, T: 1024 * 1024 } as const;
const MAX_TEXT_CHARS = 4096;

export const text = z.string().trim().min(1, 'must not be empty').max(MAX_TEXT_CHARS);

/** Where it came from has made it absolute: a file's paths are relative to the file. */
export const path = text.refine(isAbsolute, 'must be an absolute path');

/** `-` is the program's own output, as for other programs. */
export const fileOrDash = text.refine((file) => file === '-' || isAbsolute(file), 'must be a path');

export const toggle = z.string().transform((word, context) => {
  if (/^(?:1|true|yes|on)$/i.test(word)) return true;
  if (/^(?:0|false|no|off)$/i.test(word)) return false;
  return refuse(context, 'must be true or false');
});

export const requestorId = z
  .string()
  .trim()
  .refine(
    (id) => requestorIdSchema.safeParse(id).success,
    'must be the id of a requestor, gr_ and 26 letters and digits',
  );

export const httpUrl = z
  .url({ protocol: /^https?$/, error: 'must be an http or https URL' })
  .transform((url) => new URL(url).origin);

export function oneOf<const Word extends string>(...words: [Word, ...Word[]]) {
  return z.enum(words, { error: `must be ${words.slice(0, -1).join(', ')} or ${words.at(-1)}` });
}

export function whole(min: number, max: number) {
  return z
    .string()
    .regex(/^\d{1,9}$/, 'must be a whole number')
    .transform(Number)
    .pipe(z.number().min(min, `must be at least ${min}`).max(max, `must be at most ${max}`));
}

/** `4` and `4G` are GiB, `512M` MiB, `1T` TiB. @returns MiB */
export function size(maxMiB: number) {
  return z.string().transform((amount, context) => {
    const mib = parseMiB(amount);
    if (mib === undefined) return refuse(context, 'must be a size such as 4, 4G or 512M');
    if (!Number.isInteger(mib)) return refuse(context, 'must be a whole number of MiB');
    return mib <= maxMiB ? mib : refuse(context, `must be at most ${maxMiB / 1024} GiB`);
  });
}

/** `100` and `100G` are GiB, `2T` TiB. @returns GiB */
export function wholeGiB(min: number, max: number) {
  return z.string().transform((amount, context) => {
    const gib = (parseMiB(amount) ?? NaN) / 1024;
    if (!Number.isInteger(gib)) return refuse(context, 'must be whole GiB such as 100 or 2T');
    if (gib < min) return refuse(context, `must be at least ${min}`);
    return gib <= max ? gib : refuse(context, `must be at most ${max}`);
  });
}

/** `50%`, or what `amount` reads. */
export function share(amount: z.ZodType<number, string>) {
  return z.string().transform((word, context): Share => {
    if (word.endsWith('%')) {
      const percent = parsePercent(word);
      return percent === undefined
        ? refuse(context, 'must be percent such as 50%, above 0 and at most 100')
        : { percent };
    }
    const parsed = amount.safeParse(word);
    return parsed.success
      ? { amount: parsed.data }
      : refuse(context, `${parsed.error.issues[0]?.message}, or percent such as 50%`);
  });
}

const SECONDS_OF = { s: 1, m: 60, h: 3600, d: 24 * 3600 } as const;

/** `90s`, `30m`, `24h`, `7d`; a bare number is seconds. @returns seconds */
export function duration(min: number, max: number) {
  return z.string().transform((amount, context) => {
    const match = /^(\d{1,9})([smhd]?)$/.exec(amount);
    if (!match) return refuse(context, 'must be a time such as 90s, 30m, 24h or 7d');
    const unit = (match[2] || 's') as keyof typeof SECONDS_OF;
    const seconds = Number(match[1]) * SECONDS_OF[unit];
    if (seconds < min) return refuse(context, `must be at least ${min} seconds`);
    return seconds <= max ? seconds : refuse(context, `must be at most ${max} seconds`);
  });
}

export const ipv4 = z
  .string()
  .refine((address) => !address.includes('/') && parseNetwork(address), {
    error: 'must be an IPv4 address such as 203.0.113.7',
  });

const LOOPBACK = network('127.0.0.0/8');

/** Guests have a loopback interface of their own. */
export const guestResolver = ipv4.refine(
  (address) => {
    const parsed = parseNetwork(address);
    return parsed !== undefined && !contains(LOOPBACK, parsed);
  },
  { error: 'must be an address that guests can reach, which 127.0.0.0/8 is not' },
);

/** With room for a few guests, of four addresses each. */
export const privateNetwork = z.string().transform((word, context) => {
  const parsed = parseNetwork(word);
  if (!parsed || !word.includes('/'))
    return refuse(context, 'must be a network such as 10.200.0.0/16');
  if (parsed.bits < 16 || parsed.bits > 28) return refuse(context, 'must have 16 to 28 bits');
  if (NEVER_PUBLIC.some((closed) => contains(closed, parsed))) return parsed;
  return refuse(context, 'must be a private network such as 10.200.0.0/16');
});

/** `90%` or `90`. @returns 0 to 100 */
export const percent = z
  .string()
  .transform(
    (word, context) =>
      parsePercent(word.endsWith('%') ? word : `${word}%`) ??
      refuse(context, 'must be percent such as 90%, above 0 and at most 100'),
  );

/** `1`, `1.5`. */
export function factor(max: number) {
  return z.string().transform((word, context) => {
    const value = /^\d{1,3}(?:\.\d{1,2})?$/.test(word) ? Number(word) : Number.NaN;
    return value >= 1 && value <= max
      ? value
      : refuse(context, `must be a number such as 1.5, from 1 to ${max}`);
  });
}

/** Dollars. @returns nano-USD */
export const usd = z.string().transform((amount, context) => {
  const price = parseUsd(amount);
  if (price !== undefined && price <= MAX_UNIT_PRICE) return price;
  return refuse(context, `must be dollars such as 0.005, ${MAX_UNIT_PRICE / 1e9} at most`);
});

function parseMiB(amount: string): number | undefined {
  const match = /^(\d{1,8}(?:\.\d{1,3})?)([GMT]?)(?:iB)?$/i.exec(amount);
  if (!match) return undefined;
  const unit = (match[2] || 'G').toUpperCase() as keyof typeof MIB_OF;
  return Number.parseFloat(match[1] ?? '') * MIB_OF[unit];
}

function parsePercent(word: string): number | undefined {
  const match = /^(\d{1,3}(?:\.\d{1,2})?)%$/.exec(word);
  const percent = Number(match?.[1]);
  return percent > 0 && percent <= 100 ? percent : undefined;
}

function refuse(context: z.RefinementCtx, message: string): never {
  context.addIssue({ code: 'custom', message });
  return z.NEVER;
}
