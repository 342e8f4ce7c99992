/** Who comes into question for a VM, and with which image. */
import { GolemError } from '@vm-on-golem/shared/errors';
import { formatUsd } from '@vm-on-golem/shared/usd';
import type { Offer } from '@vm-on-golem/shared/offer';
import { fits } from '@vm-on-golem/shared/vm';
import type { CallOptions } from '../ports.ts';
import type { Candidate, ProviderFilter, Providers } from './providers.ts';

/** Images that are named to somebody who wanted another one. */
const SHOWN_IMAGES = 20;

export interface CandidateFilter extends ProviderFilter {
  /** Only this one, by its id or enough of it; otherwise all that fit. */
  readonly provider?: string | undefined;
  /** Has to be offered; the provider's choice if unsaid. */
  readonly image?: string | undefined;
  readonly driver?: string | undefined;
}

/** The provider that was named, or all that fit, cheapest first unless said. */
export async function* candidates(
  providers: Providers,
  { provider, image, driver, ...filter }: CandidateFilter,
  options: CallOptions,
): AsyncGenerator<Candidate> {
  if (provider !== undefined) {
    const id = await providers.resolve(provider, options);
    yield await providers.get(id, filter.resources, options);
    return;
  }
  for await (const candidate of providers.all(
    { ...filter, sort: filter.sort ?? 'price' },
    options,
  )) {
    if (suits(candidate.offer, { image, driver }) && hasRoom(candidate.offer, filter))
      yield candidate;
  }
}

/** What discovery does not filter by. */
export function suits(
  offer: Offer,
  { image, driver }: Pick<CandidateFilter, 'image' | 'driver'>,
): boolean {
  return (
    (image === undefined || offer.images.includes(image)) &&
    (driver === undefined || offer.driver === driver)
  );
}

/** The image that was asked for, or Debian, or the first. @throws {GolemError} `image_unknown` */
export function imageOf({ images }: Offer, wanted?: string): string {
  const image = wanted ?? images.find((id) => id.startsWith('debian-')) ?? images[0];
  if (image === undefined) throw new GolemError('image_unknown', 'The provider offers no image.');
  return image;
}

/**
 * Why nobody comes into question: with the price of the cheapest where the limit is what keeps out,
 * and with the images that there are where it is the image.
 */
export async function noMatch(
  providers: Providers,
  { maxHourlyPrice, ...filter }: CandidateFilter,
  options: CallOptions,
): Promise<GolemError> {
  if (maxHourlyPrice !== undefined && filter.provider === undefined) {
    for await (const { offer, hourlyPrice } of candidates(providers, filter, options)) {
      const [limit, price] = [formatUsd(maxHourlyPrice), formatUsd(hourlyPrice)];
      return new GolemError(
        'no_match',
        `No provider offers this for ${limit} an hour. The cheapest, ${offer.name}, asks ${price}.`,
        { hint: `Pay that much (--max-price ${price.slice(1)}), or ask for less.` },
      );
    }
  }
  const why = await otherImages(providers, filter, options);
  if (why) return why;
  return new GolemError('no_match', undefined, {
    hint: "See who has less room with 'golem vm providers --all', and ask for less.",
  });
}

/** @returns undefined where it is not the image that keeps out */
async function otherImages(
  providers: Providers,
  { image, ...filter }: CandidateFilter,
  options: CallOptions,
): Promise<GolemError | undefined> {
  if (image === undefined || filter.provider !== undefined) return undefined;
  const images = new Set<string>();
  for await (const { offer } of candidates(providers, filter, options)) {
    // One that is offered is not what keeps out.
    if (offer.images.includes(image)) return undefined;
    for (const id of offer.images) images.add(id);
    if (images.size >= SHOWN_IMAGES) break;
  }
  if (images.size === 0) return undefined;
  const shown = [...images].sort().slice(0, SHOWN_IMAGES).join(', ');
  return new GolemError('no_match', `No provider with room for this offers the image ${image}.`, {
    hint: `They offer: ${shown}.`,
  });
}

function hasRoom(offer: Offer, { resources }: ProviderFilter): boolean {
  return offer.images.length > 0 && fits(offer.available, resources);
}
