/** Commands that run another one with less: each replaces itself by it. Pure. */
import type { GuestUser } from '../network/network.ts';

const NO_RIGHTS = ['--inh-caps=-all', '--ambient-caps=-all', '--bounding-set=-all'];

/** As somebody else, in no group but these, without any capability or the way to get one. */
export function asUser(
  { uid, gid }: GuestUser,
  groups: readonly number[],
  command: readonly string[],
): string[] {
  return [
    ...['setpriv', '--reuid', String(uid), '--regid', String(gid)],
    ...(groups.length === 0 ? ['--clear-groups'] : ['--groups', groups.join(',')]),
    ...['--no-new-privs', ...NO_RIGHTS, '--', ...command],
  ];
}

/** As whoever we are, who gets no rights by running a program that has some. */
export function withoutNewPrivileges(command: readonly string[]): string[] {
  return ['setpriv', '--no-new-privs', '--', ...command];
}

/** Joins control groups before anything else is done: all that follows is in them. */
const JOIN =
  'while [ "$1" != -- ]; do echo 0 >"$1/cgroup.procs" || exit 1; shift; done; shift; exec "$@"';

/** @param folders of control groups; in none there is nothing to join */
export function inCgroups(folders: readonly string[], command: readonly string[]): string[] {
  if (folders.length === 0) return [...command];
  return ['/bin/sh', '-c', JOIN, 'sh', ...folders, '--', ...command];
}
