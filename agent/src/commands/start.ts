/** `golem-provider start`: the agent, in the foreground, until it is stopped. */
import { EXIT } from '@vm-on-golem/shared/errors';
import { run } from '../agent.ts';
import { readConfig } from '../config/config.ts';
import { SETTING_NAMES } from '../config/settings.ts';
import { openLog } from '../log.ts';
import { command } from './command.ts';

/** Whoever sends a second signal means it; npm passes on at once what the terminal has sent already. */
const INSISTENCE_MILLIS = 500;

export const start = command({
  usage: '',
  args: { min: 0, max: 0 },
  examples: [
    'golem-provider start --discovery https://discovery.example --cpus 50% --memory 50%',
    'golem-provider start --config /etc/golem-provider.toml --log-level debug',
  ],
  settings: SETTING_NAMES,
  options: [],
  run: async ({ flags, asJson }, around) => {
    const config = readConfig(flags, around.env);
    const log = openLog({ level: config['log-level'], file: config['log-file'] });
    const stopping = new AbortController();
    let code: number = EXIT.ok;
    let stoppedAt = 0;
    const onSignal = (signal: NodeJS.Signals) => {
      code = signal === 'SIGINT' ? EXIT.interrupted : EXIT.ok;
      if (stopping.signal.aborted) {
        if (performance.now() - stoppedAt > INSISTENCE_MILLIS) around.exit(code);
        return;
      }
      stoppedAt = performance.now();
      log.info({ signal }, 'stopping');
      stopping.abort();
    };
    const signals = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const;
    for (const signal of signals) around.on(signal, onSignal);
    try {
      await run(config, stopping.signal, {
        log,
        connected: (facts) => {
          const { provider, name, driver, discovery } = facts;
          around.stdout.write(
            asJson
              ? `${JSON.stringify(facts)}\n`
              : `${provider} (${name}, ${driver}) is connected to ${discovery}\n`,
          );
        },
      });
    } finally {
      for (const signal of signals) around.off(signal, onSignal);
    }
    return code;
  },
  exitCode: (code) => code,
});
