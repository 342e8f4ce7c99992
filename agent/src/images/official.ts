/**
 * The cloud images that the publishers of Debian and Ubuntu build. Their hashes are not ours to
 * know: they are in the publisher's own list, next to the image.
 */
import type { GuestImage } from '../drivers/driver.ts';
import type { Digest } from './digest.ts';

export interface OfficialImage extends Pick<GuestImage, 'id' | 'arch' | 'user' | 'minMemoryMiB'> {
  readonly url: string;
  /** In the same folder as the image, in the format of sha256sum and its like. */
  readonly checksums: { readonly file: string; readonly algorithm: Digest['algorithm'] };
}

/** What the publishers call the architectures. */
const ARCHITECTURES = { x86_64: 'amd64', aarch64: 'arm64' } as const;
type Arch = keyof typeof ARCHITECTURES;

const debian = (release: number, name: string, arch: Arch): OfficialImage => ({
  id: `debian-${release}`,
  arch,
  user: 'debian',
  minMemoryMiB: 512,
  url: `https://cloud.debian.org/images/cloud/${name}/latest/debian-${release}-genericcloud-${ARCHITECTURES[arch]}.qcow2`,
  checksums: { file: 'SHA512SUMS', algorithm: 'sha512' },
});

const ubuntu = (release: string, name: string, arch: Arch): OfficialImage => ({
  id: `ubuntu-${release}`,
  arch,
  user: 'ubuntu',
  minMemoryMiB: 512,
  url: `https://cloud-images.ubuntu.com/releases/${name}/release/ubuntu-${release}-server-cloudimg-${ARCHITECTURES[arch]}.img`,
  checksums: { file: 'SHA256SUMS', algorithm: 'sha256' },
});

export const OFFICIAL_IMAGES: readonly OfficialImage[] = (['x86_64', 'aarch64'] as const).flatMap(
  (arch) => [
    debian(13, 'trixie', arch),
    debian(12, 'bookworm', arch),
    ubuntu('24.04', 'noble', arch),
    ubuntu('22.04', 'jammy', arch),
  ],
);
