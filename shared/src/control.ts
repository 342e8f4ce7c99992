/** What agent and hub say to each other on the control socket: one JSON text per message. */
import * as z from 'zod';
import { utf8Length } from './encoding.ts';
import { GolemError, invalid } from './errors.ts';
import { sessionIdSchema } from './ids.ts';
import { LIMITS } from './limits.ts';
import { signedOfferSchema } from './offer.ts';

export const CONTROL_PROTOCOL = 'golem.agent.v1';
/** What the names of all versions of it begin with. */
export const CONTROL_FAMILY = 'golem.agent.v';
/** Auto-answered by the platform without waking the hub. */
export const TEXT_PING = 'ping';
export const TEXT_PONG = 'pong';

const headers = z.record(z.string().max(64), z.string().max(LIMITS.request.headerValueBytes));
/** The request's id in every log that it passes. */
const requestId = z.string().min(1).max(64);

export const agentMessageSchema = z.discriminatedUnion('type', [
  /** The whole offer, first of all and again whenever it changes. */
  z.object({ type: z.literal('offer'), offer: signedOfferSchema }),
  /** The whole, signed answer to `request` or `relay.open`. */
  z.object({
    type: z.literal('response'),
    id: requestId,
    status: z.number().int().min(200).max(599),
    headers,
    body: z.string().max(LIMITS.control.answerBytes),
  }),
]);
export type AgentMessage = z.infer<typeof agentMessageSchema>;

export const hubMessageSchema = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('welcome'),
    country: z.string(),
    asn: z.number().int().nullable(),
    /** Where the edge saw the agent come from: its guests are kept from it. Absent when unknown. */
    address: z.string().max(64).optional(),
    /** The hub's clock, ISO 8601: the agent warns of skew before a request fails by it. */
    time: z.iso.datetime(),
  }),
  z.object({
    type: z.literal('request'),
    id: requestId,
    method: z.string().max(16),
    url: z.string().max(LIMITS.request.urlBytes),
    headers,
    body: z.string().max(LIMITS.request.bodyBytes),
  }),
  /** Nobody waits for the answer to `id` any more. */
  z.object({ type: z.literal('cancel'), id: requestId }),
  /** The requestor's signed upgrade, verbatim: the agent believes nothing else. */
  z.object({
    type: z.literal('relay.open'),
    id: requestId,
    session: sessionIdSchema,
    url: z.string().max(LIMITS.request.urlBytes),
    headers,
  }),
  /** The other party of a session is there, and our leg is not. */
  z.object({ type: z.literal('relay.resume'), session: sessionIdSchema }),
  /** This hub goes away: connect again, then let go of this socket. */
  z.object({ type: z.literal('drain'), reason: z.string().max(200) }),
]);
export type HubMessage = z.infer<typeof hubMessageSchema>;

export const parseAgentMessage = (text: string) => parse(agentMessageSchema, text, 'agent');
export const parseHubMessage = (text: string) => parse(hubMessageSchema, text, 'hub');

/**
 * @returns undefined for a message of an unknown type that its sender marked `"optional": true`:
 * an older peer ignores it.
 * @throws {GolemError} `invalid_request`; the socket is to be closed with its message as reason.
 */
function parse<Schema extends z.ZodType>(
  schema: Schema,
  text: string,
  who: string,
): z.output<Schema> | undefined {
  const { messageBytes } = LIMITS.control;
  if (text.length > messageBytes || utf8Length(text) > messageBytes) {
    throw new GolemError('invalid_request', `The ${who}'s message is too large.`);
  }
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new GolemError('invalid_request', `The ${who}'s message is not JSON.`, { cause });
  }
  const parsed = schema.safeParse(json);
  if (parsed.success) return parsed.data;
  if (isOptional(json) && parsed.error.issues.some((issue) => issue.code === 'invalid_union'))
    return undefined;
  throw invalid(`The ${who}'s message`, parsed.error);
}

function isOptional(json: unknown): boolean {
  return typeof json === 'object' && json !== null && 'optional' in json && json.optional === true;
}
