/**
 * Identifiers. Every one has a letter prefix, so that none looks like a number or an option on a
 * command line, and so that a reader of a log knows what it names.
 */
import * as z from 'zod';
import { base32Prefix } from './encoding.ts';

/** 26 characters of 5 bits: 130 bits of SHA-256 over the raw public key. Self-certifying. */
const KEY_ID_LENGTH = 26;
/** 100 random bits: no two in a provider's life time. */
const RANDOM_ID_LENGTH = 20;

const keyId = (prefix: string) =>
  z.string().regex(new RegExp(`^${prefix}_[a-z2-7]{${KEY_ID_LENGTH}}$`));
const randomId = (prefix: string) =>
  z.string().regex(new RegExp(`^${prefix}_[a-z2-7]{${RANDOM_ID_LENGTH}}$`));

export const providerIdSchema = keyId('gp');
export const requestorIdSchema = keyId('gr');
export const vmIdSchema = randomId('vm');
export const operationIdSchema = randomId('op');
/** A relay session: the hexadecimal form of a Durable Object id, unguessable and unforgeable. */
export const sessionIdSchema = z.string().regex(/^[0-9a-f]{64}$/);

export type IdentityKind = 'provider' | 'requestor';
const PREFIX = { provider: 'gp', requestor: 'gr' } as const satisfies Record<IdentityKind, string>;

/** The id that a raw 32-byte Ed25519 public key certifies by itself. */
export async function identityId(
  kind: IdentityKind,
  publicKey: Uint8Array<ArrayBuffer>,
): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', publicKey));
  return `${PREFIX[kind]}_${base32Prefix(digest, KEY_ID_LENGTH)}`;
}

export type RandomBytes = (length: number) => Uint8Array<ArrayBuffer>;

export const secureRandom: RandomBytes = (length) => crypto.getRandomValues(new Uint8Array(length));

export function newVmId(random: RandomBytes = secureRandom): string {
  return `vm_${base32Prefix(random(13), RANDOM_ID_LENGTH)}`;
}

export function newOperationId(random: RandomBytes = secureRandom): string {
  return `op_${base32Prefix(random(13), RANDOM_ID_LENGTH)}`;
}

/** Names a request across all logs that it passes through. Not a secret. */
export function newRequestId(random: RandomBytes = secureRandom): string {
  return `req_${base32Prefix(random(13), RANDOM_ID_LENGTH)}`;
}
