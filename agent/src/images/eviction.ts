/** Which kept images go when there is no room: those that were used longest ago. Pure. */

export interface KeptFile {
  readonly name: string;
  /** What removing it would free: nothing where it is also an image of a folder on this machine. */
  readonly bytes: number;
  /** Milliseconds since 1970. */
  readonly usedAt: number;
  /** Guests' disks are overlays of it, or they boot from it. */
  readonly isInUse: boolean;
}

export interface Need {
  /** What the cache may hold, in bytes. */
  readonly maxBytes: number;
  /** What is about to be added. */
  readonly wantedBytes: number;
  /** What has to become free on the disk, whatever the cache holds. */
  readonly missingBytes: number;
  readonly now: number;
  /** What was used so lately may be about to become a guest's. */
  readonly recentMillis: number;
}

/** @returns the names of those that go, in that order; there may be too few of them */
export function chooseEvictions(files: readonly KeptFile[], need: Need): string[] {
  const { maxBytes, wantedBytes, missingBytes, now, recentMillis } = need;
  let excess = files.reduce((sum, { bytes }) => sum + bytes, 0) + wantedBytes - maxBytes;
  let missing = missingBytes;
  const chosen: string[] = [];
  const removable = files
    .filter(({ bytes, usedAt, isInUse }) => bytes > 0 && !isInUse && usedAt < now - recentMillis)
    .sort((a, b) => a.usedAt - b.usedAt);
  for (const { name, bytes } of removable) {
    if (excess <= 0 && missing <= 0) break;
    chosen.push(name);
    excess -= bytes;
    missing -= bytes;
  }
  return chosen;
}
