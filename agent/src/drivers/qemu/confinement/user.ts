/** Whom the QEMU of a guest runs as. Pure. */
import { createHash } from 'node:crypto';
import { DriverError } from '../../driver.ts';
import type { GuestUser } from '../network/network.ts';

/** An operator who makes this account has all guests run as it. */
const ACCOUNT = 'golem-guest';
/**
 * Without it each guest has a number of its own, out of a range that no distribution gives to anybody:
 * a QEMU that was taken over can touch no other guest's files or process.
 */
const FIRST_UID = 0x7000_0000;
const UIDS = 0x0100_0000;
/** Where a container has no such numbers. Better than root, though others may run as it as well. */
const NOBODY = 65_534;

export interface UidRange {
  readonly first: number;
  readonly count: number;
}

export interface HostUsers {
  readonly agentUid: number;
  /** Text of /etc/passwd. */
  readonly passwd: string;
  /** Numbers that exist here: not all do in a user namespace. */
  readonly uids: readonly UidRange[];
}

/**
 * @returns undefined unless the agent is root: others cannot become anybody else
 * @throws {DriverError} `unavailable` where there is nobody but root
 */
export function chooseUser(vmId: string, host: HostUsers): GuestUser | undefined {
  if (host.agentUid !== 0) return undefined;
  const account = accountOf(host.passwd, ACCOUNT);
  if (account) return account;
  const own = FIRST_UID + (createHash('sha256').update(vmId).digest().readUInt32BE() % UIDS);
  const uid = [own, NOBODY].find((candidate) => exists(candidate, host.uids));
  if (uid !== undefined) return { uid, gid: uid };
  throw new DriverError('unavailable', 'There is no user but root whom guests could run as.');
}

/** @param text of /proc/self/uid_map; without one all numbers exist */
export function parseUidRanges(text: string): UidRange[] {
  const rows = text.trim().split('\n').filter(Boolean);
  if (rows.length === 0) return [{ first: 0, count: 2 ** 32 - 1 }];
  return rows.map((row) => {
    const [first = 0, , count = 0] = row.trim().split(/\s+/).map(Number);
    return { first, count };
  });
}

/**
 * The groups that let a user who is not root open a device.
 * @returns undefined where none does
 */
export function deviceGroups({
  mode,
  gid,
}: {
  readonly mode: number;
  readonly gid: number;
}): number[] | undefined {
  if ((mode & 0o006) === 0o006) return [];
  return (mode & 0o060) === 0o060 && gid !== 0 ? [gid] : undefined;
}

function accountOf(passwd: string, name: string): GuestUser | undefined {
  for (const line of passwd.split('\n')) {
    const [account, , uid, gid] = line.split(':');
    if (account === name && Number(uid) > 0) return { uid: Number(uid), gid: Number(gid) };
  }
  return undefined;
}

function exists(uid: number, ranges: readonly UidRange[]): boolean {
  return ranges.some(({ first, count }) => uid >= first && uid < first + count);
}
