/** Parses what a request brings. Whatever is not known is refused, not ignored. */
import { GolemError, invalid } from '@vm-on-golem/shared/errors';
import { vmIdSchema } from '@vm-on-golem/shared/ids';
import { LIMITS } from '@vm-on-golem/shared/limits';
import { vmNameSchema } from '@vm-on-golem/shared/vm';
import { utf8Length } from '@vm-on-golem/shared/encoding';
import * as z from 'zod';
import type { Command } from '../vms/command-log.ts';
import type { ApiEnv } from './environment.ts';

export function readBody<Schema extends z.ZodType>(schema: Schema, body: string): z.output<Schema> {
  if (utf8Length(body) > LIMITS.request.bodyBytes) throw new GolemError('payload_too_large');
  let json: unknown;
  try {
    json = JSON.parse(body);
  } catch (cause) {
    throw new GolemError('invalid_request', 'The body is not JSON.', { cause });
  }
  const parsed = schema.safeParse(json);
  if (!parsed.success) throw invalid('The request', parsed.error);
  return parsed.data;
}

export function readQuery<Schema extends z.ZodType>(schema: Schema, url: string): z.output<Schema> {
  const values: Record<string, string> = {};
  for (const [name, value] of new URL(url).searchParams) {
    if (Object.hasOwn(values, name)) {
      throw new GolemError('invalid_request', `The query has ${name} twice.`);
    }
    values[name] = value;
  }
  const parsed = schema.safeParse(values);
  if (!parsed.success) throw invalid('The query', parsed.error);
  return parsed.data;
}

const nothing = z.strictObject({});

/** For commands that are all in their path. */
export function checkBare({ url, body }: { readonly url: string; readonly body: string }): void {
  readQuery(nothing, url);
  if (body !== '') throw new GolemError('invalid_request', 'This request takes no body.');
}

/** @returns the id of a VM, or its name among those of the signer */
export function readVmRef(text: string | undefined): string {
  const parsed = z.union([vmIdSchema, vmNameSchema]).safeParse(text);
  if (!parsed.success) {
    throw new GolemError('invalid_request', 'The name or id of the VM is not valid.');
  }
  return parsed.data;
}

export function commandOf(
  { wire }: ApiEnv['Bindings'],
  { requestor, proof, path }: ApiEnv['Variables']['admitted'],
): Command {
  const { idempotencyKey } = proof;
  if (idempotencyKey === undefined) throw new GolemError('bad_signature');
  return { owner: requestor, idempotencyKey, method: wire.method, path, body: wire.body };
}
