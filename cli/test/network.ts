/**
 * A discovery service at the HTTP edge, with providers that check what is asked and sign what they
 * answer, as real ones do. In between is what the network does with an answer.
 */
import { paths, type OperationPage } from '@vm-on-golem/shared/api';
import { GolemError } from '@vm-on-golem/shared/errors';
import { generateIdentity, type Identity } from '@vm-on-golem/shared/keys';
import { signOffer, type Offer } from '@vm-on-golem/shared/offer';
import { signAnswer, type WireAnswer } from '@vm-on-golem/shared/answers';
import {
  signedHeadersOf,
  signerId,
  verifyRequest,
  type WireRequest,
} from '@vm-on-golem/shared/signing';
import type { Vm } from '@vm-on-golem/shared/vm';
import { http, HttpResponse } from 'msw';
import { setupServer } from 'msw/node';
import { GolemClient, type ClientOptions } from '../src/sdk/client.ts';

export const DISCOVERY = 'https://discovery.test';
export const OPERATION = `op_${'a'.repeat(20)}`;
export const HOST_KEY =
  'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAw';

/** What a provider answers to one request; a thrown error is its signed refusal. */
export type Answerer = (request: {
  readonly method: string;
  readonly path: string;
  readonly body: unknown;
}) => { readonly status: number; readonly body: unknown };

/** What becomes of a signed answer on its way. */
export type Network = (answer: WireAnswer, request: WireRequest) => Response | Promise<Response>;

export const pass: Network = ({ status, headers, body }) => new Response(body, { status, headers });

export class TestProvider {
  readonly identity: Identity;
  readonly name: string;
  /** As they came in, for whoever wants to know what was asked how often. */
  readonly asked: WireRequest[] = [];
  answer: Answerer = () => {
    throw new GolemError('not_found');
  };
  network: Network = pass;

  constructor(identity: Identity, name: string) {
    this.identity = identity;
    this.name = name;
  }

  static async create(name: string): Promise<TestProvider> {
    return new TestProvider(await generateIdentity('provider'), name);
  }

  get id(): string {
    return this.identity.id;
  }

  async row(cpuHour: number, online = true) {
    const amounts = { cpus: 4, memoryMiB: 8192, storageGiB: 100, vms: 4 };
    const offer: Offer = {
      version: 1,
      provider: this.id,
      publicKey: this.identity.publicKey,
      sealingKey: 'A'.repeat(43),
      name: this.name,
      sequence: 1,
      issuedAt: '2026-01-01T00:00:00.000Z',
      driver: 'memory',
      arch: 'x86_64',
      accelerator: 'none',
      isolation: 'restricted',
      capacity: amounts,
      available: amounts,
      prices: { cpuHour, memoryGiBHour: 0, storageGiBHour: 0 },
      images: ['debian-12'],
      capabilities: [],
      features: [],
      accepting: true,
    };
    return {
      id: this.id,
      offer: await signOffer(offer, this.identity),
      country: 'unknown',
      asn: null,
      online,
      since: '2026-01-01T00:00:00.000Z',
      hourlyPrice: cpuHour,
    };
  }

  async respond(raw: Request): Promise<Response> {
    const request: WireRequest = {
      method: raw.method,
      url: raw.url,
      headers: signedHeadersOf(raw.headers),
      body: await raw.text(),
    };
    await verifyRequest(request, { now: Date.now });
    this.asked.push(request);
    const answer = this.#answerTo(request);
    const signed = await signAnswer(answer, request, this.identity, { now: Date.now });
    return this.network(signed, request);
  }

  #answerTo({ method, url, body }: WireRequest): { status: number; body: string } {
    try {
      const { status, body: said } = this.answer({
        method,
        path: new URL(url).pathname,
        body: body === '' ? undefined : JSON.parse(body),
      });
      return { status, body: JSON.stringify(said) };
    } catch (error) {
      if (!(error instanceof GolemError)) throw error;
      return { status: error.status, body: JSON.stringify(error.toBody()) };
    }
  }
}

export const server = setupServer();

/** Lists `providers`, the first one cheapest, and passes on what is for them. */
export function serve(...providers: TestProvider[]): void {
  serveAt(DISCOVERY, ...providers);
}

/** @param discovery URL of another service */
export function serveAt(discovery: string, ...providers: TestProvider[]): void {
  server.use(
    http.get(`${discovery}${paths.providers}`, async () =>
      HttpResponse.json({
        providers: await Promise.all(providers.map((each, at) => each.row((at + 1) * 1_000_000))),
        next: null,
      }),
    ),
    // A service that remembers nobody; tests that need one that does say so.
    http.get(`${discovery}/v1/requestors/:requestor/providers`, () =>
      HttpResponse.json({ providers: [], next: null }),
    ),
    http.get(`${discovery}/v1/providers/:provider`, async ({ params }) => {
      const found = providers.find(({ id }) => id === params['provider']);
      return HttpResponse.json(await found?.row(1_000_000));
    }),
    http.all(`${discovery}/v1/providers/:provider/*`, ({ params, request }) => {
      const found = providers.find(({ id }) => id === params['provider']);
      return found?.respond(request) ?? failure(new GolemError('provider_not_found'));
    }),
  );
}

/** An unsigned error, which is discovery's own. */
export function failure(error: GolemError, headers: Record<string, string> = {}): Response {
  return Response.json(error.toBody(), { status: error.status, headers });
}

/** A client that does not really wait; `waits` are the milliseconds that it would have. */
export async function clientOf(options: Partial<ClientOptions> = {}) {
  const identity = await generateIdentity('requestor');
  const waits: number[] = [];
  const client = new GolemClient({
    discovery: DISCOVERY,
    identity: async () => identity,
    sleep: async (milliseconds, signal) => {
      signal.throwIfAborted();
      waits.push(milliseconds);
    },
    ...options,
  });
  return { client, waits, identity };
}

export function vmOf(change: Partial<Vm> = {}): Vm {
  return {
    id: `vm_${'a'.repeat(20)}`,
    name: 'web',
    state: 'running',
    image: 'debian-12',
    resources: { cpus: 1, memoryMiB: 1024, storageGiB: 10 },
    hourlyPrice: 1_000_000,
    user: 'golem',
    hostKey: HOST_KEY,
    createdAt: '2026-01-01T00:00:00.000Z',
    ...change,
  };
}

export function pageOf(change: Partial<OperationPage> = {}): OperationPage {
  return {
    id: OPERATION,
    vmId: vmOf().id,
    kind: 'create',
    state: 'succeeded',
    events: [{ n: 1, at: '2026-01-01T00:00:00.000Z', stage: 'ready' }],
    vm: vmOf(),
    ...change,
  };
}

export async function signedBy(provider: TestProvider, id: string): Promise<boolean> {
  const [request] = provider.asked;
  if (!request) return false;
  const proof = await verifyRequest(request, { now: Date.now });
  return (await signerId('requestor', proof)) === id;
}
