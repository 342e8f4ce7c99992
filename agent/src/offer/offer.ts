/** What this provider says of itself: built anew whenever something changes, signed, numbered. */
import type { ProviderFeature } from '@vm-on-golem/shared/compat';
import type { Prices } from '@vm-on-golem/shared/money';
import { signOffer, type Amounts, type SignedOffer } from '@vm-on-golem/shared/offer';
import { LIMITS } from '@vm-on-golem/shared/limits';
import type { Driver, DriverFacts } from '../drivers/driver.ts';
import type { Provider } from '../identity/provider.ts';

/** What this version can do beyond the first. */
const FEATURES: readonly ProviderFeature[] = ['succession', 'console-follow', 'stop-grace'];

export interface OfferOptions {
  readonly provider: Provider;
  readonly driver: Pick<Driver, 'name' | 'capabilities'>;
  readonly facts: DriverFacts;
  /** What guests are kept from, as far as it was seen. */
  readonly isolation: () => DriverFacts['isolation'];
  /** These are asked for every offer. */
  readonly name: () => string;
  readonly capacity: () => Amounts;
  readonly prices: () => Prices;
  readonly available: () => Amounts;
  readonly accepting: () => boolean;
  readonly images: () => readonly { readonly id: string }[];
  readonly now: () => number;
}

/** Not to be called again before it has resolved: offers must leave in the order of their numbers. */
export function createOffer(options: OfferOptions): () => Promise<SignedOffer> {
  const { provider, name, driver, facts, capacity, prices, available, accepting, images, now } =
    options;
  const { identity, sealingKey, sequence } = provider;
  return () =>
    signOffer(
      {
        version: 1,
        provider: identity.id,
        publicKey: identity.publicKey,
        sealingKey: sealingKey.x,
        name: name(),
        sequence: sequence.next(),
        issuedAt: new Date(now()).toISOString(),
        driver: driver.name,
        arch: facts.arch,
        accelerator: facts.accelerator,
        isolation: options.isolation(),
        capacity: capacity(),
        available: available(),
        prices: prices(),
        images: images()
          .slice(0, LIMITS.offer.images)
          .map(({ id }) => id),
        capabilities: [...driver.capabilities],
        features: [...FEATURES],
        accepting: accepting(),
      },
      identity,
    );
}
