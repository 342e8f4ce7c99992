/** What attacks are made with: hostile parties with real keys, and what they can reach. */
import type { RelayMode } from '../../discovery-worker/src/objects/relay/modes.ts';
import { signAnswer } from '../../shared/src/answers.ts';
import { paths } from '../../shared/src/api.ts';
import { CONTROL_PROTOCOL, parseHubMessage, type HubMessage } from '../../shared/src/control.ts';
import { generateIdentity, type Identity } from '../../shared/src/keys.ts';
import { signOffer, type Offer, type SignedOffer } from '../../shared/src/offer.ts';
import { signRequest, type RequestToSign, type WireRequest } from '../../shared/src/signing.ts';
import { Violation, type Answer } from './attack.ts';
import { dial, type Dialled, type Peer } from './peer.ts';

const clock = { now: () => Date.now() };

export interface ArenaOptions {
  /** URL of discovery. */
  readonly discovery: string;
  readonly mode: RelayMode;
  readonly honest: { readonly provider: string; readonly session: string };
  /** A requestor of bad intent, who has rented this VM from the honest provider. */
  readonly tenant: { readonly identity: Identity; readonly vm: string };
  readonly signal: AbortSignal;
}

/** Both ends of a session belong to us. */
export interface Pair {
  readonly session: string;
  readonly provider: HostileProvider;
  readonly agentLeg: Peer;
  readonly requestorLeg: Peer;
}

export class Arena {
  readonly options: ArenaOptions;
  readonly #idle: HostileProvider[] = [];
  #epoch = Date.now();

  constructor(options: ArenaOptions) {
    this.options = options;
  }

  get mode(): RelayMode {
    return this.options.mode;
  }

  /** Strictly rising over the whole run. */
  nextEpoch(): number {
    return (this.#epoch += 1);
  }

  sign(
    identity: Identity,
    request: Omit<RequestToSign, 'url'> & { readonly path: string },
    now = clock.now,
  ): Promise<WireRequest> {
    const { path, ...rest } = request;
    return signRequest({ ...rest, url: this.options.discovery + path }, identity, { now });
  }

  /** As an honest party dials. */
  async dial(identity: Identity, path: string, epoch = this.nextEpoch()): Promise<Dialled> {
    const { url, headers } = await this.sign(identity, { method: 'GET', path, epoch });
    return dial({ url, headers, protocols: path === paths.agent ? [CONTROL_PROTOCOL] : [] });
  }

  /**
   * Lends a provider that nobody else uses meanwhile. The same keys come again and again, as what
   * discovery remembers of a key is part of what is attacked.
   */
  async withProvider<Result>(use: (provider: HostileProvider) => Promise<Result>): Promise<Result> {
    const provider =
      this.#idle.shift() ?? new HostileProvider(this, await generateIdentity('provider'));
    try {
      return await use(provider);
    } finally {
      this.#idle.push(provider);
    }
  }

  /** Opens a session between two of us, and lets go of it. */
  withPair(use: (pair: Pair) => Promise<readonly Answer[]>): Promise<readonly Answer[]> {
    return this.withProvider(async (provider) => {
      const requestor = this.options.tenant.identity;
      const control = await provider.online();
      const request = await this.sign(requestor, {
        ...{ method: 'GET', path: paths.ssh(provider.identity.id, 'web') },
        epoch: this.nextEpoch(),
      });
      const answer = dial(request);
      // What goes wrong with it is told when it is waited for.
      answer.catch(() => {});
      const opening = await control.find((text) => openingIn(text, request));
      if (!opening) throw new Violation(`no relay.open came: ${await control.closed()}`);
      const leg = await this.dial(provider.identity, paths.relay(opening.session));
      await provider.answer(control, opening, 200, '{}');
      const opened = await answer;
      if (!leg.peer || !opened.peer) {
        const refusals = [leg, opened].flatMap(({ peer, ...rest }) =>
          peer ? [] : Object.values(rest),
        );
        throw new Violation(`a session between two was not opened: ${refusals.join(', ')}`);
      }
      const { session } = opening;
      try {
        return await use({ session, provider, agentLeg: leg.peer, requestorLeg: opened.peer });
      } finally {
        opened.peer.cut();
        leg.peer.cut();
      }
    });
  }

  /** Opens a session with our VM on the honest agent. */
  async withAgent(
    use: (leg: Peer, session: string) => Promise<readonly Answer[]>,
  ): Promise<readonly Answer[]> {
    const { honest, tenant } = this.options;
    const { peer, ...rest } = await this.dial(
      tenant.identity,
      paths.ssh(honest.provider, tenant.vm),
    );
    if (!peer) return Object.values(rest);
    const { session } = peer;
    if (session === undefined) throw new Violation('an opened session has no name');
    const answers = await use(peer, session);
    if (!peer.isClosed || peer.isCut) await this.#bury(session);
    return answers;
  }

  /** An agent keeps what was cut for minutes, and only so many sessions: ended, it can forget it. */
  async #bury(session: string): Promise<void> {
    const { peer } = await this.dial(this.options.tenant.identity, paths.relay(session));
    if (!peer) return;
    peer.send('this ends it');
    await peer.closed();
  }
}

export class HostileProvider {
  readonly identity: Identity;
  readonly #arena: Arena;
  #control: Peer | undefined;
  #sequence = Date.now();

  constructor(arena: Arena, identity: Identity) {
    this.#arena = arena;
    this.identity = identity;
  }

  nextSequence(): number {
    return (this.#sequence += 1);
  }

  /** A control socket without an offer yet. */
  async connect(epoch = this.#arena.nextEpoch()): Promise<Peer> {
    const { peer, ...rest } = await this.#arena.dial(this.identity, paths.agent, epoch);
    if (!peer) throw new Violation(`no control socket: ${Object.values(rest).join()}`);
    this.#control = peer;
    return peer;
  }

  /** A control socket that the hub has welcomed. */
  async online(): Promise<Peer> {
    if (this.#control?.isOpen && (await this.#control.openOrClosed()) === 'open') {
      return this.#control;
    }
    const control = await this.connect();
    await this.greet(control);
    return control;
  }

  async greet(control: Peer): Promise<void> {
    control.send(JSON.stringify({ type: 'offer', offer: await this.offer() }));
    const welcome = await control.find((text) =>
      typeof text === 'string' && text.includes('"welcome"') ? text : undefined,
    );
    if (welcome === undefined) throw new Violation(`no welcome: ${await control.closed()}`);
  }

  offer(change: Partial<Offer> = {}, signer: Identity = this.identity): Promise<SignedOffer> {
    return signOffer({ ...this.plainOffer(), ...change }, signer);
  }

  plainOffer(): Offer {
    const amounts = { cpus: 8, memoryMiB: 16_384, storageGiB: 100, vms: 8 };
    return {
      version: 1,
      provider: this.identity.id,
      publicKey: this.identity.publicKey,
      sealingKey: 'A'.repeat(43),
      name: 'hostile',
      sequence: this.nextSequence(),
      issuedAt: new Date().toISOString(),
      driver: 'memory',
      arch: 'x86_64',
      accelerator: 'none',
      isolation: 'none',
      capacity: amounts,
      available: amounts,
      prices: { cpuHour: 10_000, memoryGiBHour: 1_000, storageGiBHour: 100 },
      images: ['memory'],
      capabilities: [],
      features: [],
      // Nobody is to rent from it by mistake.
      accepting: false,
    };
  }

  /** Answers signed, as an honest agent does. */
  async answer(
    control: Peer,
    message: Extract<HubMessage, { type: 'request' | 'relay.open' }>,
    status: number,
    body: string,
  ): Promise<void> {
    const request = requestIn(message);
    const answer = await signAnswer({ status, body }, request, this.identity, clock);
    control.send(JSON.stringify({ type: 'response', id: message.id, ...answer }));
  }
}

function requestIn(message: Extract<HubMessage, { type: 'request' | 'relay.open' }>): WireRequest {
  const { url, headers } = message;
  return message.type === 'request' ? message : { method: 'GET', url, headers, body: '' };
}

/** The hub's message about this upgrade of ours. */
function openingIn(
  text: string | Buffer,
  { headers }: WireRequest,
): Extract<HubMessage, { type: 'relay.open' }> | undefined {
  if (typeof text !== 'string' || !text.startsWith('{')) return undefined;
  const message = parseHubMessage(text);
  if (message?.type !== 'relay.open') return undefined;
  return message.headers['signature'] === headers['signature'] ? message : undefined;
}
