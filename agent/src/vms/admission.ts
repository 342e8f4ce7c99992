/** Whether this provider serves a request at all, before it is asked whether there is room. Pure. */
import type { CreateVm } from '@vm-on-golem/shared/api';
import { GolemError } from '@vm-on-golem/shared/errors';
import { hourlyPrice, type Prices } from '@vm-on-golem/shared/money';
import { formatUsd } from '@vm-on-golem/shared/usd';
import type { Resources } from '@vm-on-golem/shared/vm';
import type { GuestImage } from '../drivers/driver.ts';

/** What must be known of an image before it is fetched. */
export type OfferedImage = Pick<GuestImage, 'id' | 'user' | 'minMemoryMiB'>;

/** @throws {GolemError} `image_unknown`, or `invalid_request` when it needs more memory */
export function chooseImage(images: readonly OfferedImage[], request: CreateVm): OfferedImage {
  const image = images.find(({ id }) => id === request.image);
  if (!image) {
    const ids = images.map(({ id }) => id).join(', ');
    throw new GolemError('image_unknown', `The provider does not offer ${request.image}.`, {
      hint: `It offers: ${ids || 'no image at all'}.`,
    });
  }
  checkMemory(image, request.resources);
  return image;
}

/** @throws {GolemError} `invalid_request` when the image needs more memory */
export function checkMemory(image: OfferedImage, { memoryMiB }: Resources): void {
  if (memoryMiB >= image.minMemoryMiB) return;
  throw new GolemError(
    'invalid_request',
    `${memoryMiB} MiB of memory are too little for ${image.id}.`,
    { hint: `It needs at least ${image.minMemoryMiB} MiB.` },
  );
}

/** @throws {GolemError} `invalid_request` when the VM is smaller than those that are rented here */
export function checkSize(minimum: Resources, { cpus, memoryMiB, storageGiB }: Resources): void {
  const short = [
    ...(cpus < minimum.cpus ? [`${minimum.cpus} CPUs`] : []),
    ...(memoryMiB < minimum.memoryMiB ? [`${minimum.memoryMiB} MiB of memory`] : []),
    ...(storageGiB < minimum.storageGiB ? [`${minimum.storageGiB} GiB of storage`] : []),
  ];
  if (short.length === 0) return;
  throw new GolemError(
    'invalid_request',
    `The provider rents no VM with less than ${short.join(' and ')}.`,
    { hint: 'Take a larger size or another provider.' },
  );
}

/** nano-USD an hour. */
export interface AgreedPrice {
  /** Of a VM that runs, its disk included. */
  readonly hourlyPrice: number;
  /** Of its disk alone. */
  readonly storagePrice: number;
}

/** @throws {GolemError} `price_too_high` */
export function agreePrice(
  prices: Prices,
  { resources, maxHourlyPrice }: Pick<CreateVm, 'resources' | 'maxHourlyPrice'>,
): AgreedPrice {
  const price = hourlyPrice(prices, resources);
  if (maxHourlyPrice !== undefined && price > maxHourlyPrice) {
    throw new GolemError(
      'price_too_high',
      `It costs ${formatUsd(price)} an hour here; the request allows ${formatUsd(maxHourlyPrice)}.`,
    );
  }
  return {
    hourlyPrice: price,
    storagePrice: prices.storageGiBHour * resources.storageGiB,
  };
}
