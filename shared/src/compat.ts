/** How versions of different age get on: words that only the newer one knows, and what it can do. */
import * as z from 'zod';
import { GolemError } from './errors.ts';

/** What stands for a word that a newer version said and this one does not know. */
export const UNKNOWN_WORD = 'unknown';

const shape = z.string().regex(/^[a-z0-9][a-z0-9._-]{0,39}$/, 'not a word');

/** One of `known`, as it is read in answers: any other word is `unknown`, and no reason to refuse all. */
export function word<const Known extends readonly string[]>(known: Known) {
  const set: ReadonlySet<string> = new Set(known);
  return shape.transform((text): Known[number] | typeof UNKNOWN_WORD =>
    set.has(text) ? (text as Known[number]) : UNKNOWN_WORD,
  );
}

/** A list of words, of which those that are not `known` are left out. */
export function words<const Known extends readonly string[]>(known: Known) {
  const set: ReadonlySet<string> = new Set(known);
  return z
    .array(shape)
    .max(MAX_WORDS)
    .transform((texts) => texts.filter((text): text is Known[number] => set.has(text)));
}

/** Of one list: no version will know more, and a list is read by everybody who looks for a provider. */
const MAX_WORDS = 64;

/**
 * What a provider can do beyond the first version of the wire, by the words in its signed offer.
 * - `succession`: VMs go to another key by `POST .../succession`
 * - `console-follow`: `after` and `wait` of the console
 * - `stop-grace`: `graceSeconds` of `stop` and `restart`
 */
export const PROVIDER_FEATURES = ['succession', 'console-follow', 'stop-grace'] as const;
export type ProviderFeature = (typeof PROVIDER_FEATURES)[number];

/**
 * What a discovery service can do beyond the first version, by the words in `GET /healthz`.
 * - `my-providers`: `GET /v1/requestors/{id}/providers`
 * - `succession`: passes it on
 */
export const DISCOVERY_FEATURES = ['my-providers', 'succession'] as const;
export type DiscoveryFeature = (typeof DISCOVERY_FEATURES)[number];

/**
 * Before a request is sent that an older provider would refuse as not valid.
 * @param what the request, as in "The provider cannot <what>."
 * @throws {GolemError} `incompatible`
 */
export function requireFeature(
  { features }: { readonly features: readonly ProviderFeature[] },
  feature: ProviderFeature,
  what: string,
): void {
  if (features.includes(feature)) return;
  throw new GolemError('incompatible', `The provider cannot ${what}: its version is too old.`, {
    hint: 'Its operator has to update golem-provider; another provider may have done so.',
  });
}

/** Version of the wire that this program speaks, and the oldest that it understands. */
export const PROTOCOL: { readonly version: number; readonly oldest: number } = {
  version: 1,
  oldest: 1,
};

/** Sent with requests and answers: the sender's `PROTOCOL.version`. Unsigned: it only explains. */
export const PROTOCOL_HEADER = 'golem-protocol';

/**
 * @param said the other side's version: a whole number; absent where it is older than this header
 * @param them who it is, as in "golem" or "the discovery service"
 * @param us what this program is called
 * @throws {GolemError} `incompatible`, with a hint at which of both needs the update
 */
export function checkProtocol(
  said: string | number | null | undefined,
  { them, us }: { readonly them: string; readonly us: string },
): void {
  const text = String(said ?? 1);
  // What makes no sense is no version of ours: whoever sent it is not helped by an update.
  const version = /^\d{1,6}$/.test(text) ? Number(text) : undefined;
  if (version === undefined || (version >= PROTOCOL.oldest && version <= PROTOCOL.version)) return;
  const tooOld = version < PROTOCOL.oldest;
  throw new GolemError(
    'incompatible',
    `${capital(them)} speaks version ${version} of the protocol, ${us} ${RANGE}.`,
    { hint: `Update ${tooOld ? them : us}.` },
  );
}

const RANGE =
  PROTOCOL.oldest === PROTOCOL.version
    ? `version ${PROTOCOL.version}`
    : `versions ${PROTOCOL.oldest} to ${PROTOCOL.version}`;

const capital = (text: string) => text.charAt(0).toUpperCase() + text.slice(1);

/** Answer to `GET /healthz`; older services say `ok` alone. */
export const healthSchema = z.object({
  ok: z.boolean(),
  /** Of the program, such as `0.1.0`. */
  version: z.string().max(64).optional(),
  /** `PROTOCOL.version`. */
  protocol: z.number().int().positive().optional(),
  features: words(DISCOVERY_FEATURES).default([]),
});
export type Health = z.infer<typeof healthSchema>;
