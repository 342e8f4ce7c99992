/** Which network guests get on this machine, and why not another. */
import { open } from 'node:fs/promises';
import { DriverError } from '../../driver.ts';
import { attempt } from './commands.ts';
import type { GuestNetwork, NetworkChoice } from './network.ts';
import { renderConnectionTable } from './nft/connection-table.ts';
import { NO_COUNTS } from './nft/counters.ts';
import { renderTapTable } from './nft/tap-table.ts';
import { openPastaNetwork } from './pasta/network.ts';
import { restrictedNetwork, unisolatedNetwork } from './restricted.ts';
import { openTapNetwork, type TapOptions } from './tap/network.ts';

export interface ChooseOptions extends TapOptions {
  readonly choice: NetworkChoice;
  /** Take QEMU's own network, which isolates nobody, where there is no other. */
  readonly acceptUnisolated: boolean;
}

/** What is missing, and what helps. */
export interface Problem {
  readonly why: string;
  readonly hint: string;
}

/**
 * `auto` is taps where the agent is root, and namespaces otherwise.
 * @throws {DriverError} `unavailable`, with what helps, when guests would not be isolated
 */
export async function openNetwork(options: ChooseOptions): Promise<GuestNetwork> {
  const { choice, acceptUnisolated } = options;
  if (choice === 'restricted') return restrictedNetwork;
  const candidates = choice === 'auto' ? (['tap', 'pasta'] as const) : [choice];
  const problems: string[] = [];
  for (const candidate of candidates) {
    const problem = await networkProblem(candidate);
    if (!problem) return candidate === 'tap' ? openTapNetwork(options) : openPastaNetwork(options);
    problems.push(`${candidate}: ${problem.why} ${problem.hint}`);
  }
  if (acceptUnisolated) return unisolatedNetwork;
  throw new DriverError(
    'unavailable',
    `guests could not be kept from this machine and its network. ${problems.join(' ')}`,
  );
}

/** @returns undefined when that network works on this machine */
export async function networkProblem(choice: 'tap' | 'pasta'): Promise<Problem | undefined> {
  if (process.platform !== 'linux') {
    return { why: 'it needs Linux.', hint: 'Use the multipass driver elsewhere.' };
  }
  const isRoot = process.getuid?.() === 0;
  if (choice === 'tap' && !isRoot) {
    return { why: 'it needs root.', hint: 'Run golem-provider as root.' };
  }
  if (choice === 'pasta' && isRoot) {
    const why = "it is for agents that are not root: a guest's helpers belong to its agent's user.";
    return { why, hint: 'Run golem-provider as a user of its own, or with --network tap.' };
  }
  const missing = await missingPrograms(choice === 'tap' ? TAP_PROGRAMS : PASTA_PROGRAMS);
  if (missing.length > 0) {
    const packages = [...new Set(missing.map((program) => PACKAGES[program]))].join(' ');
    const why = `${missing.join(', ')} cannot be run.`;
    return { why, hint: `Run: apt-get install ${packages}.` };
  }
  const device = await open('/dev/net/tun', 'r+').catch((error: NodeJS.ErrnoException) => error);
  if (device instanceof Error) {
    const why = `/dev/net/tun cannot be opened (${device.code}).`;
    return { why, hint: 'Run: modprobe tun; chmod 666 /dev/net/tun.' };
  }
  const { mode } = await device.stat();
  await device.close();
  if (isRoot && (mode & FOR_EVERYBODY) !== FOR_EVERYBODY) {
    const why = '/dev/net/tun is open to root alone, and no guest runs as root.';
    return { why, hint: 'Run: chmod 666 /dev/net/tun, as every distribution has it.' };
  }
  return choice === 'tap' ? rulesProblem([]) : namespaceProblem();
}

const FOR_EVERYBODY = 0o006;
const TAP_PROGRAMS = ['ip', 'nft'] as const;
const PASTA_PROGRAMS = ['ip', 'nft', 'pasta', 'socat', 'unshare', 'nsenter', 'setpriv'] as const;
/** Debian's. */
const PACKAGES: Readonly<Record<string, string>> = {
  ip: 'iproute2',
  nft: 'nftables',
  pasta: 'passt',
  socat: 'socat',
  unshare: 'util-linux',
  nsenter: 'util-linux',
  setpriv: 'util-linux',
};

async function missingPrograms(programs: readonly string[]): Promise<string[]> {
  const found = await Promise.all(
    programs.map((program) =>
      attempt([program, program === 'ip' || program === 'socat' ? '-V' : '--version']).then(
        () => true,
        () => false,
      ),
    ),
  );
  return programs.filter((_, at) => !found[at]);
}

const NAMESPACE = ['unshare', '--user', '--map-root-user', '--net', '--'];

async function namespaceProblem(): Promise<Problem | undefined> {
  const { status, stderr } = await attempt([...NAMESPACE, 'true']);
  if (status === 0) return rulesProblem(NAMESPACE);
  return {
    why: `this user may not make namespaces (${stderr.trim()}).`,
    hint: 'Run: sysctl kernel.unprivileged_userns_clone=1 kernel.apparmor_restrict_unprivileged_userns=0, as far as your kernel has them.',
  };
}

/** Has the kernel look at a table with everything in it, without loading it. */
async function rulesProblem(prefix: readonly string[]): Promise<Problem | undefined> {
  const guest = { name: 'g0', device: 'golem-0', address: '10.0.0.2', mac: '52:54:00:00:00:00' };
  const connections = { table: 'golem_check_open', hook: 'forward', match: '' } as const;
  const table = renderTapTable({
    ...{ table: 'golem_check', devicePrefix: 'golem-', closed: [], onlyGuests: true },
    ...{ resolvers: ['192.0.2.1'], counts: new Map([['g0', NO_COUNTS]]) },
    guests: [{ ...guest, bitsPerSecond: 1e9 }],
  });
  const input = table + renderConnectionTable(connections);
  const { status, stderr } = await attempt([...prefix, 'nft', '--check', '-f', '-'], { input });
  if (status === 0) return undefined;
  return {
    why: `the kernel does not take the rules (${stderr.trim().split('\n')[0]}).`,
    hint: 'It needs nf_tables with conntrack, NAT, reject, limit and connlimit: Linux 5.10 or newer.',
  };
}
