/**
 * How a VM shows that a key ordered it: its creation carries a mark that this key alone can make, and
 * its provider says it again with the VM. A provider that lists VMs that nobody ordered has no mark for
 * them: one is good for one provider and one name.
 */
import { base64UrlEncode, utf8 } from '@vm-on-golem/shared/encoding';
import { GolemError } from '@vm-on-golem/shared/errors';
import type { Identity } from '@vm-on-golem/shared/keys';
import { ORDERED_LABEL } from '@vm-on-golem/shared/labels';
import type { Vm } from '@vm-on-golem/shared/vm';

/** The wire has room for 16; the mark takes one. */
const OWN_LABELS = 15;

type Labels = Readonly<Record<string, string>>;

/**
 * Digest of a signature: RFC 8032 makes the same one of the same text each time, so nothing but the
 * key is needed to check it, and nobody without the key can. Fits into a label, as a signature does not.
 * @returns 43 characters, base64url
 */
async function orderMark(identity: Identity, provider: string, name: string): Promise<string> {
  const text = utf8(`golem-ordered-v1\n${provider}\n${identity.id}\n${name}`);
  const signature = await crypto.subtle.sign('Ed25519', identity.privateKey, text);
  return base64UrlEncode(new Uint8Array(await crypto.subtle.digest('SHA-256', signature)));
}

/**
 * @param name of the VM that is to be created
 * @throws {GolemError} `invalid_request` for labels that leave no room for the mark
 */
export async function labelsWithMark(
  identity: Identity,
  provider: string,
  { name, labels = {} }: { readonly name: string; readonly labels?: Labels | undefined },
): Promise<Labels> {
  if (Object.hasOwn(labels, ORDERED_LABEL)) {
    throw new GolemError('invalid_request', `The label ${ORDERED_LABEL} is set by golem itself.`);
  }
  if (Object.keys(labels).length > OWN_LABELS) {
    throw new GolemError('invalid_request', `A VM takes at most ${OWN_LABELS} labels.`);
  }
  return { ...labels, [ORDERED_LABEL]: await orderMark(identity, provider, name) };
}

/** @param identities the keys of one requestor: the one in use, and those before it */
export async function isOrdered(
  identities: readonly Identity[],
  provider: string,
  { name, labels, sharedBy }: Pick<Vm, 'name' | 'labels' | 'sharedBy'>,
): Promise<boolean> {
  const mark = labels?.[ORDERED_LABEL];
  if (mark === undefined || sharedBy !== undefined) return false;
  for (const identity of identities) {
    if (mark === (await orderMark(identity, provider, name))) return true;
  }
  return false;
}
