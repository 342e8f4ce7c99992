import { GolemError, invalid } from '@vm-on-golem/shared/errors';
import type { z } from 'zod';

/** @throws {GolemError} `invalid_request` for a parameter that is unknown, twice there or wrong. */
export function readQuery<Schema extends z.ZodType>(schema: Schema, url: string): z.output<Schema> {
  const { searchParams } = new URL(url);
  const query: Record<string, string> = {};
  for (const [name, value] of searchParams) {
    if (Object.hasOwn(query, name)) {
      throw new GolemError('invalid_request', `The parameter ${name.slice(0, 64)} is given twice.`);
    }
    query[name] = value;
  }
  const parsed = schema.safeParse(query);
  if (!parsed.success) throw invalid('The query', parsed.error);
  return parsed.data;
}
