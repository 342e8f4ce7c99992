/**
 * All that one requestor's key has at a provider goes to another key of theirs. The old key signs
 * the request, the new one its consent: nobody is given VMs, and their price, against their will.
 */
import * as z from 'zod';
import { base64UrlDecode, base64UrlEncode, utf8 } from './encoding.ts';
import { GolemError } from './errors.ts';
import { identityId, requestorIdSchema } from './ids.ts';
import { importPublicKey, type Identity } from './keys.ts';
import { LIMITS } from './limits.ts';

/** Body of `POST /v1/providers/{id}/succession`, signed by the old key. */
export const successionSchema = z.strictObject({
  /** Raw Ed25519 key of who follows, base64url. */
  publicKey: z.string().regex(/^[A-Za-z0-9_-]{43}$/, 'not an Ed25519 key'),
  /** When the consent ends. ISO 8601. */
  until: z.iso.datetime(),
  /** Its signature over `consentText`, base64url. */
  consent: z.string().regex(/^[A-Za-z0-9_-]{86}$/, 'not a signature'),
});
export type Succession = z.infer<typeof successionSchema>;

/** Answer, 200, also when it was done before. */
export const succeededSchema = z.object({
  /** The new key's id. */
  requestor: requestorIdSchema,
  /** How many VMs are the new key's now that were the old one's. */
  vms: z.number().int().nonnegative(),
});
export type Succeeded = z.infer<typeof succeededSchema>;

/** The context keeps this signature from ever passing for another one. */
const consentText = (provider: string, from: string, to: string, until: string) =>
  utf8(`golem-succession-v1\n${provider}\n${from}\n${to}\n${until}`);

/**
 * Whoever has the old key later may hand over no more with it than they had by then.
 * @param from id of the old key
 * @param now ms
 */
export async function signSuccession(
  provider: string,
  from: string,
  next: Identity,
  now: number,
): Promise<Succession> {
  const until = new Date(now + LIMITS.succession.consentMillis).toISOString();
  const text = consentText(provider, from, next.id, until);
  const signature = await crypto.subtle.sign('Ed25519', next.privateKey, text);
  return { publicKey: next.publicKey, until, consent: base64UrlEncode(new Uint8Array(signature)) };
}

/**
 * @param now ms
 * @returns the id of the new key
 * @throws {GolemError} `bad_signature` when that key did not agree to follow `from` at `provider`, or
 * not now
 */
export async function openSuccession(
  { publicKey, until, consent }: Succession,
  provider: string,
  from: string,
  now: number,
): Promise<string> {
  const raw = base64UrlDecode(publicKey);
  const signature = base64UrlDecode(consent);
  if (!raw || !signature) throw new GolemError('bad_signature', 'The consent is not signed.');
  const to = await identityId('requestor', raw);
  const text = consentText(provider, from, to, until);
  if (!(await crypto.subtle.verify('Ed25519', await importPublicKey(raw), signature, text))) {
    throw new GolemError('bad_signature', 'The new key did not agree to take over.', {
      hint: 'Its consent is for one provider and one old key.',
    });
  }
  const left = Date.parse(until) - now;
  const { consentMillis } = LIMITS.succession;
  const skewMillis = LIMITS.signature.clockSkewSeconds * 1000;
  if (left < -skewMillis || left > consentMillis + skewMillis) {
    throw new GolemError('bad_signature', 'The consent of the new key is not for now.', {
      hint: 'It is for a short time only: sign another one, and look at the clock.',
    });
  }
  return to;
}
