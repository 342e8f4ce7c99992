/**
 * Signed requests: RFC 9421 signatures over RFC 9530 digests.
 *
 * Every hop verifies by itself with this code and acts on nothing that the signature does not
 * cover: not on a header, not on what another hop says about who asks.
 */
import { createSignature, webcrypto } from 'http-message-sig';
import { base64UrlEncode } from './encoding.ts';
import { GolemError } from './errors.ts';
import { identityId, secureRandom, type IdentityKind, type RandomBytes } from './ids.ts';
import type { Identity } from './keys.ts';
import { LIMITS } from './limits.ts';
import {
  ALGORITHM,
  checkDigest,
  contentDigest,
  describe,
  LABEL,
  pick,
  rawKey,
  refused,
  verify,
  type WireRequest,
} from './signature.ts';

export type { WireRequest } from './signature.ts';

export const IDEMPOTENCY_HEADER = 'golem-idempotency-key';
export const EPOCH_HEADER = 'golem-epoch';

/** The headers that a signed request consists of; hops pass on these and no others. */
export const SIGNED_REQUEST_HEADERS = [
  'signature',
  'signature-input',
  'content-digest',
  IDEMPOTENCY_HEADER,
  EPOCH_HEADER,
] as const;
const TAG = 'golem';
const ALWAYS_COVERED = ['@method', '@authority', '@path', '@query'] as const;
const COVERED_IF_PRESENT = ['content-digest', IDEMPOTENCY_HEADER, EPOCH_HEADER] as const;

export interface RequestToSign {
  readonly method: string;
  readonly url: string;
  readonly body?: string;
  /** Needed for every method but GET. */
  readonly idempotencyKey?: string;
  /** Strictly rising per party; needed for WebSocket upgrades. */
  readonly epoch?: number;
}

export interface SigningContext {
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly random?: RandomBytes;
}

/** What a verified signature proves. */
export interface VerifiedRequest {
  /** Raw public key of the signer, base64url. */
  readonly keyId: string;
  readonly nonce: string;
  /** Seconds since 1970. */
  readonly created: number;
  readonly expires: number;
  readonly idempotencyKey: string | undefined;
  readonly epoch: number | undefined;
}

/** Picks what belongs to a signed request out of any headers, names in lower case. */
export function signedHeadersOf(headers: Headers): Record<string, string> {
  return pick(SIGNED_REQUEST_HEADERS, (name) => headers.get(name));
}

/** @returns the request with all the headers that make it a signed one. */
export async function signRequest(
  request: RequestToSign,
  identity: Identity,
  { now, random = secureRandom }: SigningContext,
): Promise<WireRequest> {
  const body = request.body ?? '';
  const headers: Record<string, string> = {};
  if (body !== '') headers['content-digest'] = await contentDigest(body);
  if (request.idempotencyKey !== undefined) headers[IDEMPOTENCY_HEADER] = request.idempotencyKey;
  if (request.epoch !== undefined) headers[EPOCH_HEADER] = String(request.epoch);
  const created = Math.floor(now() / 1000);
  const fields = await createSignature(describe({ ...request, body, headers }), {
    label: LABEL,
    components: [...ALWAYS_COVERED, ...COVERED_IF_PRESENT.filter((name) => name in headers)],
    parameters: {
      created,
      expires: created + LIMITS.signature.lifetimeSeconds,
      nonce: base64UrlEncode(random(16)),
      keyid: identity.publicKey,
      alg: ALGORITHM,
      tag: TAG,
    },
    signer: webcrypto.signer(identity.privateKey),
  });
  headers['signature'] = fields.signature;
  headers['signature-input'] = fields.signatureInput;
  return { method: request.method, url: request.url, headers, body };
}

/**
 * @throws {GolemError} `bad_signature`, or `clock_skew` saying by how much. Whether the nonce or
 * the epoch was seen before is for the caller to check: this function remembers nothing.
 */
export async function verifyRequest(
  request: WireRequest,
  { now }: { readonly now: () => number },
): Promise<VerifiedRequest> {
  for (const [name, value] of Object.entries(request.headers)) {
    if (value.length > LIMITS.request.headerValueBytes)
      throw refused(`The header ${name} is too long.`);
  }
  const present = COVERED_IF_PRESENT.filter((name) => request.headers[name] !== undefined);
  const verified = await verify(describe(request), TAG, [...ALWAYS_COVERED, ...present]);

  const idempotencyKey = request.headers[IDEMPOTENCY_HEADER];
  if (request.method !== 'GET' && idempotencyKey === undefined) {
    throw refused(`A request that changes something needs the header ${IDEMPOTENCY_HEADER}.`);
  }
  if (idempotencyKey !== undefined && !/^[\x21-\x7e]{8,64}$/.test(idempotencyKey)) {
    throw refused(`${IDEMPOTENCY_HEADER} must be 8 to 64 printable characters.`);
  }
  await checkDigest(request.headers['content-digest'], request.body);

  const { created, expires, nonce, keyid } = verified.parameters;
  if (typeof created !== 'number' || typeof expires !== 'number' || typeof keyid !== 'string') {
    throw refused('The signature lacks created, expires or keyid.');
  }
  if (
    typeof nonce !== 'string' ||
    nonce.length < 16 ||
    nonce.length > LIMITS.signature.nonceChars
  ) {
    throw refused('The signature needs a nonce of 16 to 32 characters.');
  }
  checkTimes(created, expires, now() / 1000);
  return {
    keyId: keyid,
    nonce,
    created,
    expires,
    idempotencyKey,
    epoch: readEpoch(request.headers[EPOCH_HEADER]),
  };
}

/** The id that the signer of a verified request has as `kind`. */
export async function signerId(
  kind: IdentityKind,
  verified: Pick<VerifiedRequest, 'keyId'>,
): Promise<string> {
  return identityId(kind, rawKey(verified.keyId));
}

function checkTimes(created: number, expires: number, now: number): void {
  const { clockSkewSeconds, lifetimeSeconds } = LIMITS.signature;
  if (expires < created) throw refused('The signature expired before it was made.');
  if (expires - created > lifetimeSeconds)
    throw refused(`A signature may live ${lifetimeSeconds} s at most.`);
  if (created > now + clockSkewSeconds) throw skewed(created - now, 'ahead of');
  if (expires < now - clockSkewSeconds) throw skewed(now - created, 'behind');
}

function skewed(seconds: number, direction: string): GolemError {
  return new GolemError(
    'clock_skew',
    `The signer's clock is ${Math.round(seconds)} s ${direction} the verifier's.`,
    { hint: 'Set the clock by NTP (timedatectl set-ntp true) and try again.' },
  );
}

function readEpoch(header: string | undefined): number | undefined {
  if (header === undefined) return undefined;
  const epoch = Number(header);
  if (!/^\d{1,16}$/.test(header) || !Number.isSafeInteger(epoch))
    throw refused(`${EPOCH_HEADER} must be a whole number.`);
  return epoch;
}
