/** Files that QEMU is given open. Pure. */
import { FIRST_FILE } from './process.ts';
import type { GuestRecord } from './record.ts';

export interface GivenFiles {
  /** In the order of their descriptors. */
  readonly paths: readonly string[];
  readonly state: number | undefined;
  readonly open:
    | { readonly image: number; readonly vmlinuz?: number; readonly initrd?: number }
    | undefined;
}

/**
 * @param options.state a saved state to start from
 * @param options.apart QEMU runs as another user than we, whom our folders are closed to
 */
export function givenFiles(
  { image, kernel }: Pick<GuestRecord, 'image' | 'kernel'>,
  options: { readonly state: string | undefined; readonly apart: boolean },
): GivenFiles {
  const paths: string[] = [];
  const give = (path: string) => FIRST_FILE + paths.push(path) - 1;
  const state = options.state === undefined ? undefined : give(options.state);
  if (!options.apart) return { paths, state, open: undefined };
  const open = {
    image: give(image),
    ...(kernel ? { vmlinuz: give(kernel.vmlinuz), initrd: give(kernel.initrd) } : {}),
  };
  return { paths, state, open };
}
