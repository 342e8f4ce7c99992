/** A person with a folder of their own, whose key is in it, and a provider that knows whose VMs it has. */
import { GolemError } from '@vm-on-golem/shared/errors';
import { http, HttpResponse } from 'msw';
import type { Identity } from '@vm-on-golem/shared/keys';
import type { Vm } from '@vm-on-golem/shared/vm';
import type { Context } from '../../src/commands/command.ts';
import { GolemClient } from '../../src/sdk/client.ts';
import { labelsWithMark } from '../../src/sdk/own/ordered.ts';
import { openHome } from '../../src/state/home.ts';
import { loadIdentity } from '../../src/state/identity.ts';
import { isMoving } from '../../src/state/moving.ts';
import { VmBook } from '../../src/state/book.ts';
import { ownSshKeyFile } from '../../src/state/ssh-key-file.ts';
import { contextOf, type TestContext } from '../context.ts';
import { DISCOVERY, server, TestProvider } from '../network.ts';

/** A context whose client signs with the key in its folder. */
export async function personOf(): Promise<TestContext> {
  const here = await contextOf();
  const { context } = here;
  const { paths } = context;
  const openClient: Context['openClient'] = async (identity, discovery = DISCOVERY) =>
    new GolemClient({
      discovery,
      identity: identity ?? (() => loadIdentity(paths.key)),
      sleep: async (_, signal) => signal.throwIfAborted(),
    });
  Object.assign(context, {
    openClient,
    client: await openClient(),
    home: openHome({ GOLEM_HOME: here.folder, GOLEM_DISCOVERY: DISCOVERY }),
    book: new VmBook(paths.vms, { ownKey: ownSshKeyFile(paths), isMoving: isMoving(paths) }),
  });
  return here;
}

/** Has VMs by the public key of their owner, and gives them to another one as real providers do. */
export class OwnedProvider extends TestProvider {
  readonly vms = new Map<string, Vm[]>();

  static override async create(name: string): Promise<OwnedProvider> {
    const { identity } = await TestProvider.create(name);
    const provider = new OwnedProvider(identity, name);
    provider.answer = ({ path, body }) => provider.#answer(path, body as { publicKey?: string });
    return provider;
  }

  #answer(path: string, body: { publicKey?: string } | undefined) {
    const signer = this.#signer();
    const own = this.vms.get(signer) ?? [];
    if (path.endsWith('/vms')) return { status: 200, body: { vms: own, next: null } };
    if (!path.endsWith('/succession')) throw new GolemError('not_found');
    const next = body?.publicKey ?? '';
    this.vms.delete(signer);
    this.vms.set(next, [...(this.vms.get(next) ?? []), ...own]);
    return { status: 200, body: { requestor: `gr_${'b'.repeat(26)}`, vms: own.length } };
  }

  #signer(): string {
    const input = this.asked.at(-1)?.headers['signature-input'] ?? '';
    return /keyid="([^"]+)"/.exec(input)?.[1] ?? '';
  }
}

/** Discovery remembers that whoever asks has rented from `providers`. */
export function remember(...providers: readonly TestProvider[]): void {
  server.use(
    http.get(`${DISCOVERY}/v1/requestors/:requestor/providers`, () =>
      HttpResponse.json({
        providers: providers.map(({ id }) => ({
          provider: id,
          seenAt: '2026-01-01T00:00:00.000Z',
        })),
        next: null,
      }),
    ),
  );
}

/** As its provider lists it to the key that ordered it there. */
export async function orderedBy(
  identity: Identity,
  provider: Pick<TestProvider, 'id'>,
  vm: Vm,
): Promise<Vm> {
  return { ...vm, labels: { ...(await labelsWithMark(identity, provider.id, vm)) } };
}
