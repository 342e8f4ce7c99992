/** What guests reach, and what they must not. */
import type { Config } from '../config/config.ts';
import { networkProblem, type Problem } from '../drivers/qemu/network/choose.ts';
import { foreignDrops } from '../drivers/qemu/network/firewalls.ts';
import { configured, failure, ok, skipped, warning, type Finding } from './check.ts';

export const isolation = configured('isolation', async ({ loaded, status }) => {
  const { config } = loaded;
  if (config.driver === 'memory') return skipped('there are no guests that could reach anything');
  if (!status) return withoutAgent(config);
  if (status.isolation === 'full') {
    const dropping = config.driver === 'qemu' ? await foreignDrops() : [];
    if (dropping.length === 0) {
      return ok('guests reach the Internet, and neither this machine nor its neighbours');
    }
    const chains = dropping.map(({ chain }) => chain).join(' and ');
    return warning(`guests may not reach the Internet: ${chains} drops what is forwarded`, FORWARD);
  }
  if (status.isolation === 'restricted') {
    return warning('guests reach nothing but their own SSH port', 'choose another guest network');
  }
  return failure(
    'guests reach this machine and its neighbours',
    'run as root on Linux with nftables, or install passt',
  );
});

/** Docker sets its chain so, and its own place for exceptions is DOCKER-USER. */
const FORWARD =
  'with Docker: iptables -I DOCKER-USER -i golem+ -j ACCEPT; iptables -I DOCKER-USER -o golem+ -j ACCEPT. With firewalld: firewall-cmd --permanent --zone=trusted --add-interface=golem+; with ufw: ufw default allow routed';

/** What would be seen from inside a guest when the agent starts is not known; whether it can start is. */
async function withoutAgent({ driver, network, ...config }: Config): Promise<Finding> {
  if (driver !== 'qemu') return skipped('seen when the agent runs');
  if (network === 'restricted') {
    return warning('guests reach nothing but their own SSH port', 'choose another guest network');
  }
  const found = await findNetwork(network);
  if ('works' in found) {
    return ok(`guests can be isolated by ${found.works}; it is tried when the agent starts`);
  }
  return judgeNetworks(found.problems, config['accept-unisolated']);
}

interface NetworkProblem extends Problem {
  readonly network: string;
}

/** The first network that would work here, or what each one lacks. */
export async function findNetwork(
  network: 'auto' | 'tap' | 'pasta',
): Promise<{ readonly works: string } | { readonly problems: readonly NetworkProblem[] }> {
  const problems: NetworkProblem[] = [];
  for (const candidate of network === 'auto' ? (['tap', 'pasta'] as const) : [network]) {
    const problem = await networkProblem(candidate);
    if (!problem) return { works: candidate };
    problems.push({ network: candidate, ...problem });
  }
  return { problems };
}

/** Pure. Networks may lack the same thing. */
export function judgeNetworks(
  problems: readonly NetworkProblem[],
  acceptUnisolated: boolean,
): Finding {
  const whys = problems.map(({ network, why }) => `${network}: ${why}`);
  const what = `guests cannot be isolated: ${whys.join(' ')}`;
  const fix = [...new Set(problems.map(({ hint }) => hint))].join(' ');
  return acceptUnisolated ? warning(what, fix) : failure(what, fix);
}
