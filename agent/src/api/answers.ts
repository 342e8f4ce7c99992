/** What routes have in common. */
import type { Context } from 'hono';
import type { Answer } from '../vms/command-log.ts';
import type { ApiEnv } from './environment.ts';
import { checkBare } from './input.ts';

/** The body of a request that takes no query. */
export function bodyOf({ env: { wire } }: Context<ApiEnv>): string {
  checkBare({ url: wire.url, body: '' });
  return wire.body;
}

/** Word for word as it is remembered. */
export function answered({ status, body }: Answer): Response {
  return new Response(body, { status });
}
