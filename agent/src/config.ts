/** What the operator sets: flags before the environment before defaults. */
import { homedir, hostname } from 'node:os';
import { join, resolve } from 'node:path';
import { GolemError, invalid } from '@vm-on-golem/shared/errors';
import { LIMITS } from '@vm-on-golem/shared/limits';
import { MAX_UNIT_PRICE, parseUsd } from '@vm-on-golem/shared/money';
import * as z from 'zod';

/** One setting: `--flag`, `GOLEM_PROVIDER_FLAG`. */
export interface Setting {
  /** What stands for the value in the help; none for a switch. */
  readonly value?: string;
  readonly help: string;
  /** May be given several times; in the environment separated by commas. */
  readonly multiple?: boolean;
}

export const SETTINGS = {
  discovery: { value: 'URL', help: 'the discovery service to connect to' },
  'data-dir': { value: 'DIR', help: 'keys, VMs and guests (~/.local/share/golem-provider)' },
  name: { value: 'NAME', help: "shown to requestors (this machine's name)" },
  driver: { value: 'DRIVER', help: 'what runs the guests: qemu or memory (qemu)' },
  'allow-emulation': { help: 'run guests without hardware virtualisation, some 20 times slower' },
  'image-dir': { value: 'DIR', help: 'folder of guest images; may be repeated', multiple: true },
  'only-local-images': { help: 'offer no image that would have to be downloaded' },
  cpus: { value: 'N', help: 'CPUs to share (all but the reserve)' },
  memory: { value: 'GIB', help: 'memory to share, in GiB or as 512M (all but the reserve)' },
  storage: { value: 'GIB', help: 'disk to share, in GiB (what is free but the reserve)' },
  'max-vms': { value: 'N', help: 'how many VMs at most (16)' },
  'reserve-cpus': { value: 'N', help: 'CPUs that stay with this machine (1)' },
  'reserve-memory': { value: 'GIB', help: 'memory that stays with this machine (2)' },
  'reserve-storage': { value: 'GIB', help: 'disk that stays with this machine (10)' },
  'price-cpu': { value: 'USD', help: 'of one CPU for an hour (0.005)' },
  'price-memory': { value: 'USD', help: 'of one GiB of memory for an hour (0.002)' },
  'price-storage': { value: 'USD', help: 'of one GiB of disk for an hour (0.0001)' },
  'relay-grace': { value: 'SECONDS', help: 'how long a cut SSH session is kept (120)' },
  'relay-window': { value: 'KIB', help: 'the most an SSH session has under way (4096)' },
  'relay-memory': { value: 'MIB', help: 'what all SSH sessions have under way together (256)' },
  'log-level': { value: 'LEVEL', help: 'trace, debug, info, warn or error (info)' },
  'log-file': { value: 'FILE', help: 'write the log there (stderr)' },
} as const satisfies Record<string, Setting>;
export type SettingName = keyof typeof SETTINGS;

export type Flags = Readonly<Partial<Record<SettingName, string | boolean | readonly string[]>>>;
export type Environment = Readonly<Record<string, string | undefined>>;

const KIB = 1024;
const text = z.string().trim().min(1).max(4096);
const whole = (min: number, max: number) =>
  z
    .string()
    .regex(/^\d{1,9}$/, 'must be a whole number')
    .transform(Number)
    .pipe(z.number().min(min).max(max));

/** `4` and `4G` are GiB, `512M` is MiB. @returns MiB */
const size = z
  .string()
  .regex(/^\d{1,7}(?:\.\d{1,3})?(?:[GM](?:iB)?)?$/, 'must be a size such as 4 or 512M')
  .transform((amount) => Number.parseFloat(amount) * (amount.includes('M') ? 1 : 1024))
  .pipe(z.number().int('must be a whole number of MiB').min(0).max(LIMITS.vm.memoryMiB));

const usd = z.string().transform((amount, context) => {
  const price = parseUsd(amount);
  if (price !== undefined && price <= MAX_UNIT_PRICE) return price;
  context.addIssue({
    code: 'custom',
    message: `must be dollars such as 0.005, ${MAX_UNIT_PRICE / 1e9} at most`,
  });
  return z.NEVER;
});

const settingsSchema = z.strictObject({
  discovery: z
    .url({ protocol: /^https?$/, error: 'must be an http or https URL' })
    .transform((url) => new URL(url).origin),
  'data-dir': text.transform((path) => resolve(path)),
  name: z
    .string()
    .max(LIMITS.offer.nameChars)
    .regex(/^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$/, 'must be lower-case letters, digits and dashes'),
  driver: z.enum(['qemu', 'memory']).default('qemu'),
  'allow-emulation': z.boolean().default(false),
  'image-dir': z
    .array(text.transform((path) => resolve(path)))
    .max(16)
    .default([]),
  'only-local-images': z.boolean().default(false),
  cpus: whole(1, LIMITS.vm.cpus).optional(),
  memory: size.optional(),
  storage: whole(1, LIMITS.vm.storageGiB).optional(),
  'max-vms': whole(0, 10_000).default(16),
  'reserve-cpus': whole(0, LIMITS.vm.cpus).default(1),
  'reserve-memory': size.default(2048),
  'reserve-storage': whole(0, LIMITS.vm.storageGiB).default(10),
  'price-cpu': usd.default(5_000_000),
  'price-memory': usd.default(2_000_000),
  'price-storage': usd.default(100_000),
  'relay-grace': whole(1, LIMITS.relay.graceMaxSeconds).default(LIMITS.relay.graceSeconds),
  'relay-window': whole(
    LIMITS.relay.windowMinBytes / KIB,
    LIMITS.relay.windowMaxBytes / KIB,
  ).default(LIMITS.relay.windowMaxBytes / KIB),
  'relay-memory': whole(1, 1024 * 1024).default(LIMITS.relay.budgetBytes / KIB / KIB),
  'log-level': z.enum(['trace', 'debug', 'info', 'warn', 'error']).default('info'),
  'log-file': text.optional(),
});
export type Config = z.output<typeof settingsSchema>;

/** @throws {GolemError} `usage` naming the setting that is wrong and where it came from. */
export function readConfig(flags: Flags, env: Environment): Config {
  const values: Record<string, unknown> = {};
  for (const name of Object.keys(SETTINGS) as SettingName[]) {
    const value = flags[name] ?? fromEnvironment(name, env);
    if (value !== undefined) values[name] = value;
  }
  values['data-dir'] ??= defaultDataDir(env);
  values['name'] ??= defaultName();
  if (values['discovery'] === undefined) {
    throw new GolemError('usage', 'Which discovery service?', {
      hint: 'Give --discovery URL or set GOLEM_PROVIDER_DISCOVERY.',
    });
  }
  const parsed = settingsSchema.safeParse(values);
  if (parsed.success) return parsed.data;
  const name = String(parsed.error.issues[0]?.path[0]);
  const source = name in flags ? `--${name}` : variableOf(name);
  throw new GolemError('usage', invalid(source, parsed.error).message);
}

/** For commands that need nothing but the keys. */
export function readDataDir(flags: Flags, env: Environment): string {
  const given = flags['data-dir'] ?? fromEnvironment('data-dir', env);
  return resolve(typeof given === 'string' ? given : defaultDataDir(env));
}

function fromEnvironment(
  name: SettingName,
  env: Environment,
): string | boolean | string[] | undefined {
  const value = env[variableOf(name)];
  if (value === undefined || value === '') return undefined;
  const setting: Setting = SETTINGS[name];
  if (setting.multiple) return value.split(',');
  if (setting.value !== undefined) return value;
  if (/^(?:1|true|yes|on)$/i.test(value)) return true;
  if (/^(?:0|false|no|off)$/i.test(value)) return false;
  throw new GolemError('usage', `${variableOf(name)} must be true or false.`);
}

function variableOf(name: string): string {
  return `GOLEM_PROVIDER_${name.toUpperCase().replaceAll('-', '_')}`;
}

function defaultDataDir(env: Environment): string {
  return join(env['XDG_DATA_HOME'] || join(homedir(), '.local', 'share'), 'golem-provider');
}

function defaultName(): string {
  const name = hostname()
    .toLowerCase()
    .replaceAll(/[^a-z0-9-]+/g, '-')
    .slice(0, LIMITS.offer.nameChars)
    .replaceAll(/^-+|-+$/g, '');
  return name || 'provider';
}
