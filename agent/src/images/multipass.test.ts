/** What a provider with Multipass offers. */
import { expect, test } from 'vitest';
import type { Catalogue } from './catalogue.ts';
import { multipassImages } from './multipass.ts';

const local = (...ids: string[]): Pick<Catalogue, 'list' | 'resolve'> => {
  const images = ids.map((id) => ({
    ...({ id, arch: 'x86_64', user: 'me', minMemoryMiB: 64, origin: 'local' } as const),
  }));
  const resolve = async (id: string) => {
    const image = images.find((candidate) => candidate.id === id);
    if (!image) throw new Error(`no ${id}`);
    return { ...image, disk: `/images/${id}` };
  };
  return { list: () => images, resolve };
};
const { signal } = new AbortController();

test('releases of Ubuntu are named, not fetched', async () => {
  const images = multipassImages(local('mine'), 'x86_64', true);
  expect(images.list().map(({ id }) => id)).toEqual(['mine', 'ubuntu-24.04', 'ubuntu-22.04']);
  expect(await images.resolve('ubuntu-24.04', signal)).toMatchObject({
    ...{ disk: '24.04', user: 'ubuntu' },
  });
  expect(await images.resolve('mine', signal)).toMatchObject({ disk: '/images/mine', user: 'me' });
  await expect(images.resolve('debian-12', signal)).rejects.toThrow('no debian-12');
});

test('an image of this machine goes before a release, and may be all there is', async () => {
  const images = multipassImages(local('ubuntu-24.04'), 'x86_64', true);
  expect(images.list().map(({ id }) => id)).toEqual(['ubuntu-24.04', 'ubuntu-22.04']);
  expect(await images.resolve('ubuntu-24.04', signal)).toMatchObject({ user: 'me' });
  const closed = multipassImages(local('mine'), 'x86_64', false);
  expect(closed.list().map(({ id }) => id)).toEqual(['mine']);
  await expect(closed.resolve('ubuntu-24.04', signal)).rejects.toThrow('no ubuntu-24.04');
});
