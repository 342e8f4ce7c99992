/**
 * Signed requests and answers: RFC 9421 signatures over RFC 9530 digests.
 *
 * Every hop verifies by itself with this code and acts on nothing that the signature does not
 * cover: not on a header, not on what another hop says about who asks.
 */
import {
  component,
  createSignature,
  verifySignature,
  webcrypto,
  type RequestDescriptor,
  type SignatureComponent,
  type UntrustedSignatureCandidate,
  type VerifiedSignature,
} from 'http-message-sig';
import { base64UrlDecode, base64UrlEncode, utf8 } from './encoding.ts';
import { GolemError } from './errors.ts';
import { identityId, secureRandom, type IdentityKind, type RandomBytes } from './ids.ts';
import { importPublicKey, type Identity } from './keys.ts';
import { LIMITS } from './limits.ts';

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
const SIGNED_ANSWER_HEADERS = ['signature', 'signature-input', 'content-digest'] as const;

const LABEL = 'golem';
const REQUEST_TAG = 'golem';
const ANSWER_TAG = 'golem-answer';
const ALGORITHM = 'ed25519';
const ALWAYS_COVERED = ['@method', '@authority', '@path', '@query'] as const;
const COVERED_IF_PRESENT = ['content-digest', IDEMPOTENCY_HEADER, EPOCH_HEADER] as const;

/** A request as any hop sees it. Header names are lower case. `body` is empty for none. */
export interface WireRequest {
  readonly method: string;
  /** Absolute, `http` or `https`. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface WireAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

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

export async function contentDigest(body: string): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', utf8(body)));
  return `sha-256=:${btoa(String.fromCharCode(...digest))}:`;
}

/** Picks what belongs to a signed request out of any headers, names in lower case. */
export function signedHeadersOf(headers: Headers): Record<string, string> {
  return pick(SIGNED_REQUEST_HEADERS, (name) => headers.get(name));
}

/** Picks what belongs to a signed answer out of any headers, names in lower case. */
export function answerHeadersOf(headers: Headers): Record<string, string> {
  return pick(SIGNED_ANSWER_HEADERS, (name) => headers.get(name));
}

function pick(
  names: readonly string[],
  get: (name: string) => string | null,
): Record<string, string> {
  const picked: Record<string, string> = {};
  for (const name of names) {
    const value = get(name);
    if (value !== null) picked[name] = value;
  }
  return picked;
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
      tag: REQUEST_TAG,
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
  const verified = await verify(describe(request), REQUEST_TAG, [...ALWAYS_COVERED, ...present]);

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

/** Signs `answer` as the answer to `request`, so that it cannot be shown as the answer to another. */
export async function signAnswer(
  answer: { readonly status: number; readonly body: string },
  request: WireRequest,
  identity: Identity,
  { now }: { readonly now: () => number },
): Promise<WireAnswer> {
  const headers: Record<string, string> = { 'content-digest': await contentDigest(answer.body) };
  const fields = await createSignature(
    {
      kind: 'response',
      status: answer.status,
      fields: fieldsOf(headers),
      request: describe(request),
    },
    {
      label: LABEL,
      components: ANSWER_COVERED,
      parameters: {
        created: Math.floor(now() / 1000),
        keyid: identity.publicKey,
        alg: ALGORITHM,
        tag: ANSWER_TAG,
      },
      signer: webcrypto.signer(identity.privateKey),
    },
  );
  headers['signature'] = fields.signature;
  headers['signature-input'] = fields.signatureInput;
  return { status: answer.status, headers, body: answer.body };
}

const ANSWER_COVERED: readonly SignatureComponent[] = [
  '@status',
  'content-digest',
  component('signature', { req: true }),
];

/** @throws {GolemError} `untrusted_answer` unless `provider` itself gave `answer` to `request`. */
export async function verifyAnswer(
  answer: WireAnswer,
  request: WireRequest,
  provider: string,
): Promise<void> {
  try {
    const verified = await verify(
      {
        kind: 'response',
        status: answer.status,
        fields: fieldsOf(answer.headers),
        request: describe(request),
      },
      ANSWER_TAG,
      ANSWER_COVERED,
    );
    await checkDigest(answer.headers['content-digest'], answer.body);
    const signer = await identityId('provider', rawKey(String(verified.parameters.keyid)));
    if (signer !== provider) throw refused(`It is signed by ${signer}.`);
  } catch (cause) {
    const why = cause instanceof Error ? ` ${cause.message}` : '';
    throw new GolemError(
      'untrusted_answer',
      `The answer is not one that ${provider} signed.${why}`,
      { cause },
    );
  }
}

function describe(request: WireRequest): RequestDescriptor {
  return {
    kind: 'request',
    method: request.method,
    targetUri: request.url,
    fields: fieldsOf(request.headers),
  };
}

function fieldsOf(headers: Readonly<Record<string, string>>) {
  return Object.entries(headers).map(([name, value]) => ({ name, value }));
}

async function verify(
  message: Parameters<typeof verifySignature>[0],
  tag: string,
  requiredComponents: readonly SignatureComponent[],
): Promise<VerifiedSignature> {
  try {
    return await verifySignature(message, {
      label: LABEL,
      policy: {
        algorithms: [ALGORITHM],
        requiredComponents,
        requiredParameters: ['created', 'keyid', 'tag', 'alg'],
        // Times are checked by the caller, who can say by how much they are off.
        now: 0,
        clockSkew: Number.MAX_SAFE_INTEGER,
        validate: (signature) => signature.parameters.tag === tag,
      },
      resolveVerifier: async (candidate: UntrustedSignatureCandidate) =>
        webcrypto.verifier(await importPublicKey(rawKey(candidate.parameters.keyid ?? ''))),
    });
  } catch (cause) {
    // What the resolver of keys refused comes wrapped.
    if (cause instanceof Error && cause.cause instanceof GolemError) throw cause.cause;
    const why = cause instanceof Error ? `: ${cause.message}` : '';
    throw new GolemError('bad_signature', `The signature does not hold${why}.`, { cause });
  }
}

function rawKey(keyId: string): Uint8Array<ArrayBuffer> {
  const raw = base64UrlDecode(keyId);
  if (raw?.length !== 32) throw refused('keyid must be a raw Ed25519 public key in base64url.');
  return raw;
}

async function checkDigest(header: string | undefined, body: string): Promise<void> {
  if (header === undefined && body === '') return;
  if (header !== (await contentDigest(body)))
    throw refused('content-digest does not match the body.');
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

function refused(message: string): GolemError {
  return new GolemError('bad_signature', message);
}
