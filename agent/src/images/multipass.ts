/** Images for guests of Multipass: those on this machine, and those that it fetches and checks itself. */
import type { GuestImage } from '../drivers/driver.ts';
import type { Catalogue } from './catalogue.ts';

/** Ubuntu's releases, by the names that `multipass launch` takes. */
const RELEASES = ['24.04', '22.04'] as const;

/** Multipass gives every image the same account. */
const releaseImage = (release: string, arch: GuestImage['arch']): GuestImage => ({
  ...{ id: `ubuntu-${release}`, arch, user: 'ubuntu', minMemoryMiB: 512, disk: release },
});

/**
 * @param local without the publishers' images: a Multipass that is confined could not read their files
 * @param official whether to offer what would have to be downloaded
 */
export function multipassImages(
  local: Pick<Catalogue, 'list' | 'resolve'>,
  arch: GuestImage['arch'],
  official: boolean,
): Pick<Catalogue, 'list' | 'resolve'> {
  const isLocal = (id: string) => local.list().some((image) => image.id === id);
  const releases = official ? RELEASES.map((release) => releaseImage(release, arch)) : [];
  return {
    list: () => [
      ...local.list(),
      ...releases
        .filter(({ id }) => !isLocal(id))
        .map((image) => ({ ...image, origin: 'official' as const })),
    ],
    resolve: async (id, signal) => {
      const release = releases.find((image) => image.id === id);
      return release === undefined || isLocal(id) ? local.resolve(id, signal) : release;
    },
  };
}
