/** Which providers somebody wants to hear of. */
import { PROVIDER_SORTS } from '@vm-on-golem/shared/api';
import { GolemError } from '@vm-on-golem/shared/errors';
import { imageIdSchema } from '@vm-on-golem/shared/vm';
import type { ProviderFilter } from '../../sdk/offers/providers.ts';
import { option, type Input } from '../command.ts';
import { readMaxPrice, readResources } from './spec.ts';

/** @throws {GolemError} `usage` */
export function readFilter(input: Input): ProviderFilter {
  const country = option(input, 'country')?.toUpperCase();
  if (country !== undefined && !/^[A-Z]{2}$/.test(country)) {
    throw new GolemError('usage', `'${country}' is no country.`, {
      hint: 'Two letters, such as DE.',
    });
  }
  const arch = oneOf(input, 'arch', ['x86_64', 'aarch64']);
  const sort = oneOf(input, 'sort', PROVIDER_SORTS);
  const maxHourlyPrice = readMaxPrice(input);
  return {
    resources: readResources(input),
    ...(country === undefined ? {} : { country }),
    ...(arch === undefined ? {} : { arch }),
    ...(sort === undefined ? {} : { sort }),
    ...(maxHourlyPrice === undefined ? {} : { maxHourlyPrice }),
  };
}

export function oneOf<Word extends string>(
  input: Input,
  name: string,
  words: readonly Word[],
): Word | undefined {
  const text = option(input, name);
  if (text === undefined) return undefined;
  const word = words.find((candidate) => candidate === text);
  if (word !== undefined) return word;
  throw new GolemError('usage', `'${text}' is nothing for --${name}.`, {
    hint: `It takes ${words.join(', ')}.`,
  });
}

/** @throws {GolemError} `usage` */
export function readImage(input: Input): string | undefined {
  const image = option(input, 'image');
  if (image === undefined || imageIdSchema.safeParse(image).success) return image;
  throw new GolemError('usage', `'${image}' is not the id of an image.`);
}
