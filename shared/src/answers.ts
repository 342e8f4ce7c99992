/** Signed answers: nobody but the provider gives them, and to no other request. */
import { component, createSignature, webcrypto, type SignatureComponent } from 'http-message-sig';
import { GolemError } from './errors.ts';
import { identityId } from './ids.ts';
import type { Identity } from './keys.ts';
import {
  ALGORITHM,
  checkDigest,
  contentDigest,
  describe,
  fieldsOf,
  LABEL,
  pick,
  rawKey,
  refused,
  verify,
  type WireRequest,
} from './signature.ts';

const TAG = 'golem-answer';
/** Nothing else of an answer is acted on. */
export const ANSWER_HEADERS = ['signature', 'signature-input', 'content-digest'] as const;

/** The request's own signature makes the answer one to that request and to no other. */
const COVERED: readonly SignatureComponent[] = [
  '@status',
  'content-digest',
  component('signature', { req: true }),
];

export interface WireAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Picks what belongs to a signed answer out of any headers, names in lower case. */
export function answerHeadersOf(headers: Headers): Record<string, string> {
  return pick(ANSWER_HEADERS, (name) => headers.get(name));
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
      components: COVERED,
      parameters: {
        created: Math.floor(now() / 1000),
        keyid: identity.publicKey,
        alg: ALGORITHM,
        tag: TAG,
      },
      signer: webcrypto.signer(identity.privateKey),
    },
  );
  headers['signature'] = fields.signature;
  headers['signature-input'] = fields.signatureInput;
  return { status: answer.status, headers, body: answer.body };
}

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
      TAG,
      COVERED,
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
