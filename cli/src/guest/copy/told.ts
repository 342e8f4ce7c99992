/** Errors of file systems, of either side, as people are told of them. */
import { GolemError } from '@vm-on-golem/shared/errors';

/** @throws {GolemError} with the path in it, whichever side the error comes from */
export async function told<Result>(path: string, work: Promise<Result>): Promise<Result> {
  try {
    return await work;
  } catch (cause) {
    if (cause instanceof GolemError || !(cause instanceof Error)) throw cause;
    const { code } = cause as { code?: unknown };
    const reason = REASONS[String(code)] ?? cause.message;
    throw new GolemError(
      code === 'EACCES' || code === 'EPERM' || code === 3 ? 'forbidden' : 'internal',
      `${path}: ${reason}`,
      { cause },
    );
  }
}

/** Codes of this machine by name, and of SFTP by number. */
const REASONS: Readonly<Record<string, string>> = {
  EACCES: 'permission denied.',
  EPERM: 'permission denied.',
  ENOENT: 'there is no such file or folder.',
  ENOSPC: 'no space is left.',
  EISDIR: 'it is a folder.',
  ENOTDIR: 'a part of the path is no folder.',
  2: 'there is no such file or folder.',
  3: 'permission denied.',
  4: 'the guest could not do that; its disk may be full.',
};
