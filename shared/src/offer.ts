/**
 * An offer is what a provider says of itself, signed by its key. Discovery passes the signed text
 * on as it came: whoever reads it checks the signature, and the id against the key inside.
 */
import * as z from 'zod';
import { checkProtocol, PROVIDER_FEATURES, word, words } from './compat.ts';
import { base64UrlDecode, base64UrlEncode, utf8 } from './encoding.ts';
import { GolemError, invalid } from './errors.ts';
import { identityId, providerIdSchema } from './ids.ts';
import { importPublicKey, type Identity } from './keys.ts';
import { LIMITS } from './limits.ts';
import { pricesSchema } from './money.ts';
import { imageIdSchema } from './vm.ts';

const rawKey = z.string().regex(/^[A-Za-z0-9_-]{43}$/);

export const amountsSchema = z.strictObject({
  cpus: z.number().int().min(0).max(LIMITS.vm.cpus),
  memoryMiB: z.number().int().min(0).max(LIMITS.vm.memoryMiB),
  storageGiB: z.number().int().min(0).max(LIMITS.vm.storageGiB),
  /** How many VMs there is room for. */
  vms: z.number().int().min(0).max(10_000),
});
export type Amounts = z.infer<typeof amountsSchema>;

export const offerSchema = z.object({
  version: z.literal(1),
  provider: providerIdSchema,
  /** Raw Ed25519 key, base64url; its hash is the provider's id. */
  publicKey: rawKey,
  /** Raw X25519 key, base64url: user data is sealed to it. */
  sealingKey: rawKey,
  /** Chosen by the provider; neither unique nor a proof of anything. */
  name: z
    .string()
    .max(LIMITS.offer.nameChars)
    .regex(/^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$/),
  /** Rises with every offer of this provider, so that an old one cannot be shown again. */
  sequence: z.number().int().nonnegative(),
  issuedAt: z.iso.datetime(),
  /** `unknown`, here and below: a word that only a newer version knows. */
  driver: word(['qemu', 'multipass', 'memory']),
  arch: word(['x86_64', 'aarch64']),
  accelerator: word(['kvm', 'hvf', 'tcg', 'none']),
  /** What guests are kept from: see `docs/protocol.md`. */
  isolation: word(['full', 'restricted', 'none']),
  capacity: z.object(amountsSchema.shape),
  available: z.object(amountsSchema.shape),
  prices: z.object(pricesSchema.shape),
  images: z.array(imageIdSchema).max(LIMITS.offer.images),
  /** What its hypervisor can do. */
  capabilities: words(['suspend', 'snapshot', 'resize', 'clone']),
  /** What its version can do. */
  features: words(PROVIDER_FEATURES).default([]),
  /** False while the provider is paused or drains. */
  accepting: z.boolean(),
});
export type Offer = z.infer<typeof offerSchema>;

export const signedOfferSchema = z.strictObject({
  /** JSON text of an `Offer`, byte for byte as it was signed. */
  text: z.string().max(LIMITS.offer.bytes),
  signature: z.string().regex(/^[A-Za-z0-9_-]{86}$/),
});
export type SignedOffer = z.infer<typeof signedOfferSchema>;

/** All that has to be the same in every version. */
const versionSchema = z.object({ version: z.number().int().positive() });

/** Keeps a signature over an offer from ever passing for one over anything else. */
const CONTEXT = 'golem-offer-v1\n';

export async function signOffer(offer: Offer, identity: Identity): Promise<SignedOffer> {
  const text = JSON.stringify(offer);
  const signature = await crypto.subtle.sign('Ed25519', identity.privateKey, utf8(CONTEXT + text));
  return { text, signature: base64UrlEncode(new Uint8Array(signature)) };
}

/**
 * @param reader who reads it, for a message about versions
 * @throws {GolemError} `bad_signature` when the text is not signed by the key it names, or the key
 * is not that of `provider`; `invalid_request` when the text is not an offer; `incompatible` when it
 * is one of a version that this one does not understand.
 */
export async function openOffer(
  signed: SignedOffer,
  provider: string,
  reader = 'golem',
): Promise<Offer> {
  let json: unknown;
  try {
    json = JSON.parse(signed.text);
  } catch (cause) {
    throw new GolemError('invalid_request', 'The offer is not JSON.', { cause });
  }
  const version = versionSchema.safeParse(json).data?.version;
  checkProtocol(version, { them: 'the provider', us: reader });
  const parsed = offerSchema.safeParse(json);
  if (!parsed.success) throw invalid('The offer', parsed.error);
  const offer = parsed.data;
  const publicKey = base64UrlDecode(offer.publicKey);
  const signature = base64UrlDecode(signed.signature);
  if (!publicKey || !signature) throw new GolemError('bad_signature', 'The offer is not signed.');
  if (offer.provider !== provider || (await identityId('provider', publicKey)) !== provider) {
    throw new GolemError('bad_signature', `The offer is not one of ${provider}.`);
  }
  const key = await importPublicKey(publicKey);
  if (!(await crypto.subtle.verify('Ed25519', key, signature, utf8(CONTEXT + signed.text)))) {
    throw new GolemError('bad_signature', 'The signature of the offer is wrong.');
  }
  return offer;
}
