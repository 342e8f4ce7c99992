/** The network of guests as the operator set it up, its surroundings, and what guests were seen to reach. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from 'pino';
import type { Config } from './config/config.ts';
import { DriverError, type Driver, type DriverFacts } from './drivers/driver.ts';
import { formatNetwork } from './drivers/qemu/network/addresses.ts';
import { guestIds } from './drivers/qemu/folder.ts';
import { isolateBridge, releaseBridge } from './drivers/qemu/network/bridge.ts';
import { openNetwork, type ChooseOptions } from './drivers/qemu/network/choose.ts';
import type { GuestNetwork } from './drivers/qemu/network/network.ts';
import type { SelfTestResult } from './isolation/destinations.ts';
import { isolationSeen } from './isolation/gate.ts';
import { VERSION } from './version.ts';
import type { Images } from './vms/vms.ts';
import { Whereabouts } from './whereabouts.ts';

const MULTIPASS_BRIDGE = 'mpqemubr0';

/** Cloudflare's and Quad9's: a home's own name server is in its LAN, which is closed to guests. */
const PUBLIC_RESOLVERS = ['1.1.1.1', '9.9.9.9'] as const;

export interface ProbeOptions {
  readonly images: Images;
  /** A driver whose guests nobody else knows. */
  readonly openDriver: (network: GuestNetwork, stateDir: string) => Promise<Driver>;
}

export interface GuestNetworksOptions {
  /** What a guest may send and receive when it starts, in bits per second. */
  readonly cap: () => number | undefined;
  readonly log: Logger;
  /** For tests: `openNetwork`. */
  readonly open?: typeof openNetwork;
}

export class GuestNetworks {
  /** Undefined for drivers that bring a network of their own. */
  readonly network: GuestNetwork | undefined;
  readonly #config: Config;
  readonly #whereabouts: Whereabouts;
  readonly #options: GuestNetworksOptions;

  private constructor(
    config: Config,
    network: GuestNetwork | undefined,
    whereabouts: Whereabouts,
    options: GuestNetworksOptions,
  ) {
    this.#config = config;
    this.network = network;
    this.#whereabouts = whereabouts;
    this.#options = options;
  }

  /** @throws {DriverError} `unavailable` where guests would reach this machine and its neighbours */
  static async open(config: Config, options: GuestNetworksOptions): Promise<GuestNetworks> {
    const { log, cap, open = openNetwork } = options;
    const whereabouts = await Whereabouts.open({
      ...{ log, path: join(config['data-dir'], 'public-address') },
      configured: config['public-address'],
    });
    // With what was seen earlier: guests run already, and what they reach is tried before anybody asks.
    const choice = { ...choiceOf(config, 'network', whereabouts.addresses), cap };
    const network = config.driver === 'qemu' ? await open(choice) : undefined;
    const rules = await bridgeRules(config);
    whereabouts.follow(network ? (closed) => network.refresh(closed) : rules);
    // Guests of Multipass run already.
    await rules(whereabouts.addresses);
    return new GuestNetworks(config, network, whereabouts, options);
  }

  /** Where discovery sees this machine. */
  seenAs(address: string | undefined): void {
    this.#whereabouts.seenAs(address).catch((error: unknown) => {
      this.#options.log.error({ err: error }, 'the public address could not be closed to guests');
    });
  }

  /** Has the rules follow the networks that the machine is in, and puts back what is missing. */
  async refresh(): Promise<void> {
    await this.#whereabouts.refresh();
  }

  /**
   * Sees what guests reach, unless that is known since the machine was started.
   * @returns what the offer may say
   * @throws {GolemError} `unsupported` where guests reach too much and the operator does not accept it
   */
  async prove(
    bootId: string,
    options: ProbeOptions,
    signal: AbortSignal,
  ): Promise<DriverFacts['isolation']> {
    if (!this.network) throw new TypeError('there is no network of ours to be seen');
    if (this.network.isolation !== 'full') return this.network.isolation;
    const { 'data-dir': dataDir, 'accept-unisolated': isAccepted } = this.#config;
    const test = (aborted: AbortSignal) => this.probe(options, aborted);
    const setup = setupOf(this.#config);
    await this.#clearProbe(options);
    const { log } = this.#options;
    return isolationSeen({ dataDir, bootId, setup, test, log }, isAccepted, signal);
  }

  /** Tries from inside a guest what guests reach, in a folder and a network of its own. */
  async probe({ images, openDriver }: ProbeOptions, signal: AbortSignal): Promise<SelfTestResult> {
    const [smallest] = [...images.list()].sort((a, b) => a.minMemoryMiB - b.minMemoryMiB);
    if (!smallest) throw new DriverError('failed', 'There is no image to start a guest from.');
    const image = await images.resolve(smallest.id, signal);
    const config = this.#config;
    await using driver = await this.#probeDriver(openDriver);
    const facts = {
      discovery: config.discovery,
      resolvers: resolversOf(config),
      publicAddresses: this.#whereabouts.addresses,
    };
    // It brings an SSH client, which nothing else needs.
    const { selfTest } = await import('./isolation/self-test.ts');
    return selfTest(driver, image, facts, signal);
  }

  /** A probe that was killed has left its guest, which nobody else knows. */
  async #clearProbe({ openDriver }: ProbeOptions): Promise<void> {
    await mkdir(this.#probeDir, { recursive: true, mode: 0o700 });
    if ((await guestIds(this.#probeDir)).length === 0) return;
    await using driver = await this.#probeDriver(openDriver);
    for (const { vmId } of await driver.list()) await driver.destroy(vmId);
  }

  async #probeDriver(openDriver: ProbeOptions['openDriver']): Promise<Driver> {
    const { open = openNetwork } = this.#options;
    const choice = choiceOf(this.#config, 'probe-net', this.#whereabouts.addresses);
    // A network that the operator chose is taken by the guests that are there.
    const network = await open({ ...choice, guestNetwork: undefined });
    return openDriver(network, this.#probeDir);
  }

  get #probeDir(): string {
    return join(this.#config['data-dir'], 'probe');
  }
}

/**
 * What can be done for guests of Multipass: its own rules keep them from nothing. All of its guests are on
 * one bridge, the operator's own too, so this is done only for those who ask for it.
 */
async function bridgeRules(
  config: Config,
): Promise<(addresses: readonly string[]) => Promise<void>> {
  const mayLoad = process.platform === 'linux' && process.getuid?.() === 0;
  if (!mayLoad) return async () => {};
  if (config.driver !== 'multipass' || !config['multipass-rules']) {
    await releaseBridge(MULTIPASS_BRIDGE);
    return async () => {};
  }
  const resolvers = resolversOf(config);
  return async (closed) => {
    await isolateBridge({ bridge: MULTIPASS_BRIDGE, resolvers, closed });
  };
}

function resolversOf(config: Config): readonly string[] {
  const chosen = config['guest-dns'];
  return chosen.length > 0 ? chosen : PUBLIC_RESOLVERS;
}

function choiceOf(config: Config, folder: string, closed: readonly string[]): ChooseOptions {
  return {
    choice: config.network,
    acceptUnisolated: config['accept-unisolated'],
    dir: join(config['data-dir'], folder),
    guestNetwork: config['guest-network'],
    resolvers: resolversOf(config),
    closed,
  };
}

/** What the isolation of guests depends on, as far as the operator can change it. */
function setupOf(config: Config): unknown {
  const { network, discovery, 'guest-network': prefix, 'public-address': addresses } = config;
  const resolvers = resolversOf(config);
  return [VERSION, network, discovery, prefix && formatNetwork(prefix), addresses, resolvers];
}
