/** Creations by a requestor who is as near as this process: what the agent itself takes. */
import { paths, providersPageSchema } from '@vm-on-golem/shared/api';
import { generateOpenSshKeyPair } from '@vm-on-golem/shared/openssh';
import { newVmId } from '@vm-on-golem/shared/ids';
import { openOffer, type Offer } from '@vm-on-golem/shared/offer';
import type { Vm } from '@vm-on-golem/shared/vm';
import type { GuestSpec } from '../../agent/src/drivers/driver.ts';
import { memoryImage } from '../../agent/src/drivers/memory/image.ts';
import { renderSeed } from '../../agent/src/vms/seed.ts';
import type { AgentNetwork } from './network.ts';

export const SIZE = { cpus: 1, memoryMiB: 256, storageGiB: 1 } as const;
const PATIENCE_MILLIS = 120_000;

/** One requestor with one provider, of which the offer is known. */
export class Tenant {
  readonly #network: AgentNetwork;
  readonly #offer: Offer;
  readonly #requestor: string;
  readonly #sshKey: string;

  private constructor(network: AgentNetwork, offer: Offer, requestor: string, sshKey: string) {
    this.#network = network;
    this.#offer = offer;
    this.#requestor = requestor;
    this.#sshKey = sshKey;
  }

  static async of(network: AgentNetwork): Promise<Tenant> {
    const offer = await offerOf(network);
    const { id } = await network.client.identity();
    const { publicKey } = await generateOpenSshKeyPair();
    return new Tenant(network, offer, id, publicKey);
  }

  /** Asks for a VM and waits until it is ready. */
  async create(name: string): Promise<Vm> {
    const { client, provider } = this.#network;
    const signal = AbortSignal.timeout(PATIENCE_MILLIS);
    const image = this.#offer.images[0] ?? '';
    const request = { name, resources: SIZE, image, sshKeys: [this.#sshKey] };
    const creation = await client.vms.creation(request, this.#offer, this.#requestor);
    const { operation } = await client.vms.create(provider, creation, { signal });
    const { vm } = await client.follow(provider, operation, { signal });
    if (vm?.state !== 'running') throw new Error(`${name} is ${vm?.state ?? 'gone'}`);
    return vm;
  }

  async destroy(vm: Vm): Promise<void> {
    const { client, provider } = this.#network;
    const signal = AbortSignal.timeout(PATIENCE_MILLIS);
    await client.change(provider, vm.id, 'destroy', { signal });
  }

  list(): Promise<Vm[]> {
    const { client, provider } = this.#network;
    return client.vms.list(provider, { signal: AbortSignal.timeout(PATIENCE_MILLIS) });
  }
}

/** A guest as the agent would have the driver launch it. */
export async function bareGuest(): Promise<GuestSpec> {
  const vmId = newVmId();
  const [hostKey, { publicKey }] = [await generateOpenSshKeyPair(), await generateOpenSshKeyPair()];
  const seed = renderSeed({
    ...{ instanceId: `i-${vmId}`, hostname: 'bare', sshKeys: [publicKey], hostKey },
  });
  return { vmId, ...SIZE, image: memoryImage, seed, hostKey: hostKey.publicKey };
}

/** What the provider says of itself at the moment, as anybody sees it. */
export async function offerOf({ discovery, provider }: AgentNetwork): Promise<Offer> {
  const response = await fetch(`${discovery}${paths.providers}`);
  const { providers } = providersPageSchema.parse(await response.json());
  const row = providers.find(({ id }) => id === provider);
  if (!row) throw new Error('the provider is not listed');
  return openOffer(row.offer, provider);
}
