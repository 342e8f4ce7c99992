/** A Cloudflare Worker: GET shows the cheapest providers, POST has a job's VM created and given back. */
import { GolemClient, GolemError, MemoryRentals, openIdentity } from '@vm-on-golem/cli';

interface Env {
  readonly DISCOVERY: string;
  /** Private JWK of the requestor: a secret. */
  readonly KEY: string;
  readonly SSH_KEY: string;
}

export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    const identity = await openIdentity('requestor', JSON.parse(env.KEY));
    const client = new GolemClient({ discovery: env.DISCOVERY, identity: async () => identity });
    const { signal } = request;
    const resources = { cpus: 1, memoryMiB: 256, storageGiB: 2 };
    try {
      if (request.method === 'GET') {
        const { candidates } = await client.providers.page(
          { resources, sort: 'price' },
          { limit: 3, signal, deadlineMillis: 5_000 },
        );
        return Response.json(
          candidates.map(({ offer, hourlyPrice }) => ({ name: offer.name, hourlyPrice })),
        );
      }
      // A Durable Object that implements `Rentals` remembers them for longer than one request.
      const rentals = new MemoryRentals();
      const wish = { name: 'job', resources, sshKeys: [env.SSH_KEY], ttlSeconds: 600 };
      const asked = await client.rent(wish, { rentals, signal });
      const { vm } = await client.settle(asked, { rentals, signal, deadlineMillis: 60_000 });
      const [rental] = await rentals.all();
      if (rental) await client.giveBack(rental, { rentals, signal });
      return Response.json({ id: vm?.id, state: vm?.state });
    } catch (error) {
      if (!(error instanceof GolemError)) throw error;
      return Response.json(error.toBody(), { status: error.status });
    }
  },
};
