/** Providers and requestors as the wire sees them: scripted, with real keys and signatures. */
import { exports } from 'cloudflare:workers';
import { paths } from '@vm-on-golem/shared/api';
import { CONTROL_PROTOCOL, parseHubMessage, type HubMessage } from '@vm-on-golem/shared/control';
import { generateIdentity, type Identity } from '@vm-on-golem/shared/keys';
import { signOffer, type Offer, type SignedOffer } from '@vm-on-golem/shared/offer';
import { signAnswer } from '@vm-on-golem/shared/answers';
import { signRequest, type RequestToSign, type WireRequest } from '@vm-on-golem/shared/signing';
import { TestSocket } from './socket.ts';

export const ORIGIN = 'https://discovery.test';
const clock = { now: () => Date.now() };

let epoch = Date.now();
/** Strictly rising over all tests of a file. */
export const nextEpoch = () => (epoch += 1);

export function offerOf(identity: Identity, change: Partial<Offer> = {}): Offer {
  return {
    version: 1,
    provider: identity.id,
    publicKey: identity.publicKey,
    sealingKey: 'A'.repeat(43),
    name: 'test',
    sequence: nextEpoch(),
    issuedAt: new Date().toISOString(),
    driver: 'memory',
    arch: 'x86_64',
    accelerator: 'none',
    isolation: 'none',
    capacity: { cpus: 8, memoryMiB: 16_384, storageGiB: 100, vms: 8 },
    available: { cpus: 8, memoryMiB: 16_384, storageGiB: 100, vms: 8 },
    prices: { cpuHour: 10_000, memoryGiBHour: 1_000, storageGiBHour: 100 },
    images: ['debian-13'],
    capabilities: [],
    features: [],
    accepting: true,
    ...change,
  };
}

export async function signed(
  identity: Identity,
  request: Omit<RequestToSign, 'url'> & { readonly path: string },
): Promise<WireRequest> {
  const { path, ...rest } = request;
  return signRequest({ ...rest, url: ORIGIN + path }, identity, clock);
}

export function send(
  { method, url, headers, body }: WireRequest,
  more: Record<string, string> = {},
  signal?: AbortSignal,
): Promise<Response> {
  return exports.default.fetch(url, {
    method,
    headers: { ...headers, ...more },
    ...(body === '' ? {} : { body }),
    ...(signal ? { signal } : {}),
  });
}

export function upgrade(request: WireRequest, more: Record<string, string> = {}) {
  return send(request, { upgrade: 'websocket', ...more });
}

/** @throws with the body when the answer is no open socket. */
export async function socketOf(response: Response): Promise<TestSocket> {
  if (!response.webSocket) {
    throw new Error(`no socket: ${response.status} ${await response.text()}`);
  }
  return new TestSocket(response.webSocket);
}

/** The code of an error in the one shape. */
export async function codeOf(response: Response): Promise<string> {
  const { error } = await response.json<{ error: { code: string } }>();
  return error.code;
}

export async function connectAgent(
  identity: Identity,
  at: { readonly epoch?: number; readonly headers?: Record<string, string> } = {},
): Promise<Response> {
  const request = await signed(identity, {
    method: 'GET',
    path: paths.agent,
    epoch: at.epoch ?? nextEpoch(),
  });
  return upgrade(request, { 'sec-websocket-protocol': CONTROL_PROTOCOL, ...at.headers });
}

export class ScriptedAgent {
  readonly identity: Identity;
  readonly socket: TestSocket;

  constructor(identity: Identity, socket: TestSocket) {
    this.identity = identity;
    this.socket = socket;
  }

  /** Connects and offers. Resolves with the hub's welcome received. */
  static async online(given?: Identity, change: Partial<Offer> = {}): Promise<ScriptedAgent> {
    const identity = given ?? (await generateIdentity('provider'));
    const agent = new ScriptedAgent(identity, await socketOf(await connectAgent(identity)));
    await agent.offer(change);
    await agent.expect('welcome');
    return agent;
  }

  async offer(change: Partial<Offer> = {}): Promise<SignedOffer> {
    const offer = await signOffer(offerOf(this.identity, change), this.identity);
    this.socket.send(JSON.stringify({ type: 'offer', offer }));
    return offer;
  }

  async expect<Type extends HubMessage['type']>(
    type: Type,
  ): Promise<Extract<HubMessage, { type: Type }>> {
    const message = parseHubMessage(await this.socket.text());
    if (message?.type !== type) throw new Error(`expected ${type}, got ${message?.type}`);
    return message as Extract<HubMessage, { type: Type }>;
  }

  /** Answers signed, as an agent does. */
  async answer(
    message: Extract<HubMessage, { type: 'request' | 'relay.open' }>,
    status: number,
    content: unknown = {},
  ): Promise<void> {
    const request: WireRequest =
      message.type === 'request'
        ? message
        : { method: 'GET', url: message.url, headers: message.headers, body: '' };
    const body = JSON.stringify(content);
    const answer = await signAnswer({ status, body }, request, this.identity, clock);
    this.socket.send(JSON.stringify({ type: 'response', id: message.id, ...answer }));
  }
}
