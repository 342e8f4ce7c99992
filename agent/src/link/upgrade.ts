/** Opens WebSockets to discovery: every upgrade is signed and carries the next epoch. */
import { PROTOCOL, PROTOCOL_HEADER } from '@vm-on-golem/shared/compat';
import type { Identity } from '@vm-on-golem/shared/keys';
import { signRequest } from '@vm-on-golem/shared/signing';
import { readErrorBody } from '@vm-on-golem/shared/error-body';
import { GolemError } from '@vm-on-golem/shared/errors';
import { LIMITS } from '@vm-on-golem/shared/limits';
import { lookup } from 'node:dns';
import type { IncomingMessage } from 'node:http';
import type { LookupFunction } from 'node:net';
import { WebSocket } from 'ws';
import { AGENT_LIMITS } from '../limits.ts';

export interface UpgradeOptions {
  /** Base URL, http or https. */
  readonly discovery: string;
  readonly identity: Identity;
  readonly epochs: { next(): number };
  readonly now: () => number;
}

export interface UpgradeRequest {
  readonly path: string;
  readonly protocol?: string;
  /** The largest message that is taken, in bytes. */
  readonly maxPayload: number;
  readonly timeoutMillis: number;
  /** Tries IPv4 before IPv6, where there are both: discovery sees the address that guests could reach. */
  readonly ipv4First?: boolean;
}

/** What the slowest network needs to connect; then the other family is tried. */
const FAMILY_MILLIS = 3_000;

/** @returns a socket that is connecting. */
export async function openSocket(
  { discovery, identity, epochs, now }: UpgradeOptions,
  { path, protocol, maxPayload, timeoutMillis, ipv4First = false }: UpgradeRequest,
): Promise<WebSocket> {
  const url = new URL(path, discovery);
  const signed = await signRequest(
    { method: 'GET', url: url.href, epoch: epochs.next() },
    identity,
    { now },
  );
  const isPrivate = url.protocol === 'https:' || isLoopback(url.hostname);
  const socket = new WebSocket(
    url.href.replace(/^http/, 'ws'),
    protocol === undefined ? [] : [protocol],
    {
      headers: { ...signed.headers, [PROTOCOL_HEADER]: String(PROTOCOL.version) },
      handshakeTimeout: timeoutMillis,
      maxPayload,
      // A hub that hibernates is slow to let go of the connection below: the close was said already.
      ...{ closeTimeout: AGENT_LIMITS.relay.closeMillis },
      perMessageDeflate: false,
      ...(ipv4First && {
        lookup: lookupIPv4First,
        autoSelectFamily: true,
        autoSelectFamilyAttemptTimeout: FAMILY_MILLIS,
      }),
      // Masks protect old proxies from what is readable on the wire; TLS shows them nothing, and
      // without masks bytes go through three times as fast.
      ...(isPrivate ? { generateMask: (mask: Buffer) => mask.fill(0) } : {}),
    },
  );
  return socket;
}

const lookupIPv4First: LookupFunction = (hostname, options, found) => {
  lookup(hostname, { ...options, order: 'ipv4first' }, found);
};

function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127(?:\.\d{1,3}){3}$/.test(hostname);
}

/** Reads why an upgrade was refused: the one error shape, if it is in the answer. */
export async function readRefusal(response: IncomingMessage): Promise<GolemError> {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > LIMITS.control.answerBytes) break;
      chunks.push(chunk);
    }
    const error = readErrorBody(
      JSON.parse(Buffer.concat(chunks).toString('utf8')),
      response.statusCode,
    );
    if (error) return error;
  } catch {
    // Whatever stood in between answered: its status is all there is to say.
  }
  return new GolemError(
    'discovery_unreachable',
    `Discovery answered the connection with status ${response.statusCode ?? 'unknown'}.`,
  );
}
