/** `golem vm proxy`: the SSH port of a VM on standard input and output. For ssh's ProxyCommand. */
import { EXIT } from '@vm-on-golem/shared/errors';
import { runRelay } from '../../tunnel/relay.ts';
import { readRelaySettings } from '../../tunnel/settings.ts';
import type { Command } from '../command.ts';
import { findReady } from '../read/reference.ts';

export const proxy: Command<null> = {
  name: 'proxy',
  usage: 'NAME',
  args: { min: 1, max: 1 },
  options: [],
  examples: ["ssh -o ProxyCommand='golem vm proxy web' root@web"],

  async run(context, { args: [reference = ''] }) {
    const { provider, vm } = await findReady(context, reference);
    const { stdin: input, stdout: output } = process;
    const { client, signal, env } = context;
    const settings = readRelaySettings(env);
    try {
      await client.patiently({ signal }, async () => {
        const upgrade = await client.sshUpgrade(provider, vm.id);
        const again = (session: string) => client.resumeUpgrade(session);
        await runRelay({ upgrade, again, input, output, signal, settings });
      });
    } catch (error) {
      // ssh hangs up on its proxy when it is done: that is an end like any other.
      if (!signal.aborted) throw error;
    } finally {
      input.destroy();
    }
    return null;
  },
  // To ssh and its users, whatever goes wrong here is a transport that failed.
  failureCode: EXIT.transport,
};
