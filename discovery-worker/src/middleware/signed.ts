/** Lets in only what is signed. Its agent checks again: this is the cheap refusal. */
import { GolemError } from '@vm-on-golem/shared/errors';
import type { IdentityKind } from '@vm-on-golem/shared/ids';
import {
  signedHeadersOf,
  signerId,
  verifyRequest,
  type WireRequest,
} from '@vm-on-golem/shared/signing';
import { createMiddleware } from 'hono/factory';
import { isUpgrade } from '../objects/upgrade.ts';
import { readBody } from './bounded.ts';
import type { SignedEnv } from './context.ts';

/** @param kind what the signer's key is taken for */
export function signed(kind: IdentityKind) {
  return createMiddleware<SignedEnv>(async (c, next) => {
    const request: WireRequest = {
      method: c.req.method,
      url: c.req.url,
      headers: signedHeadersOf(c.req.raw.headers),
      body: await readBody(c.req.raw),
    };
    const proof = await verifyRequest(request, { now: () => Date.now() });
    c.set('signed', { request, proof, signer: await signerId(kind, proof) });
    await next();
  });
}

/** For WebSocket routes, before `signed`: shape comes first. */
export const upgrade = createMiddleware(async (c, next) => {
  if (!isUpgrade(c.req.raw)) {
    throw new GolemError('invalid_request', 'Only a WebSocket can be opened here.');
  }
  await next();
});

/** @throws {GolemError} `bad_signature`: upgrades are ordered by the epochs that they sign. */
export function epochOf({ epoch }: { readonly epoch: number | undefined }): number {
  if (epoch === undefined) throw new GolemError('bad_signature', 'An upgrade must sign its epoch.');
  return epoch;
}
