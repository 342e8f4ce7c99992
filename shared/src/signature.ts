/** What signatures of requests and of answers have in common: labels, digests, keys, the policy. */
import {
  verifySignature,
  webcrypto,
  type MessageDescriptor,
  type RequestDescriptor,
  type SignatureComponent,
  type UntrustedSignatureCandidate,
  type VerifiedSignature,
} from 'http-message-sig';
import { base64UrlDecode, utf8 } from './encoding.ts';
import { GolemError } from './errors.ts';
import { importPublicKey } from './keys.ts';

export const LABEL = 'golem';
export const ALGORITHM = 'ed25519';

/** A request as any hop sees it. Header names are lower case. `body` is empty for none. */
export interface WireRequest {
  readonly method: string;
  /** Absolute, `http` or `https`. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** The RFC 9530 field value for a body. */
export async function contentDigest(body: string): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', utf8(body)));
  return `sha-256=${byteSequence(digest)}`;
}

/** Bytes as a structured field (RFC 8941) has them. */
function byteSequence(bytes: Uint8Array): string {
  return `:${btoa(String.fromCharCode(...bytes))}:`;
}

/** Those of `names` that there are. */
export function pick(
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

/** The request as the library wants it. */
export function describe(request: WireRequest): RequestDescriptor {
  return {
    kind: 'request',
    method: request.method,
    targetUri: request.url,
    fields: fieldsOf(request.headers),
  };
}

export function fieldsOf(headers: Readonly<Record<string, string>>) {
  return Object.entries(headers).map(([name, value]) => ({ name, value }));
}

/** @throws {GolemError} `bad_signature` unless the one of our label holds and covers all of these. */
export async function verify(
  message: MessageDescriptor,
  tag: string,
  requiredComponents: readonly SignatureComponent[],
): Promise<VerifiedSignature> {
  let verified: VerifiedSignature;
  try {
    verified = await verifySignature(message, {
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
  if (!isWrittenAs(verified.signature, message))
    throw refused('The signature is not in canonical base64.');
  return verified;
}

/**
 * Base64 can write the same bytes in several ways, and what an answer is bound to is the text: only
 * one text may stand for a signature.
 */
function isWrittenAs(signature: Uint8Array, { fields }: MessageDescriptor): boolean {
  const text = fields.find(({ name }) => name === 'signature')?.value ?? '';
  // A comma is in no label and in no base64.
  return text.split(',').some((member) => member.trim() === `${LABEL}=${byteSequence(signature)}`);
}

/** @throws {GolemError} `bad_signature` */
export function rawKey(keyId: string): Uint8Array<ArrayBuffer> {
  const raw = base64UrlDecode(keyId);
  if (raw?.length !== 32) throw refused('keyid must be a raw Ed25519 public key in base64url.');
  return raw;
}

/** @throws {GolemError} `bad_signature` for a body that is not the one of `header` */
export async function checkDigest(header: string | undefined, body: string): Promise<void> {
  if (header === undefined && body === '') return;
  if (header !== (await contentDigest(body)))
    throw refused('content-digest does not match the body.');
}

export function refused(message: string): GolemError {
  return new GolemError('bad_signature', message);
}
