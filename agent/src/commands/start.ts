/** `golem-provider start`: the agent, in the foreground, until it is stopped. */
import { EXIT, GolemError } from '@vm-on-golem/shared/errors';
import type { Logger } from 'pino';
import { run } from '../agent.ts';
import { loadConfig } from '../config/config.ts';
import { LiveConfig } from '../config/live.ts';
import { SETTING_NAMES } from '../config/settings.ts';
import { logFileOf, openLog } from '../log/log.ts';
import { openNotifier } from '../service/supervisor.ts';
import { command, type Surroundings } from './command.ts';

/** Whoever sends a second signal means it; npm passes on at once what the terminal has sent already. */
const INSISTENCE_MILLIS = 500;

export const start = command({
  usage: '',
  args: { min: 0, max: 0 },
  examples: [
    'golem-provider start',
    'golem-provider start --discovery https://discovery.example --cpus 50% --memory 50%',
    'golem-provider start --config /etc/golem-provider.toml --log-level debug',
  ],
  settings: SETTING_NAMES,
  options: [],
  run: async ({ flags, asJson }, around) => {
    const live = new LiveConfig(() => loadConfig(flags, around.env));
    using opened = openLog({
      level: live.current['log-level'],
      file: logFileOf(live.current),
      watched: around.stderr.isTTY,
    });
    const { log } = opened;
    live.watch((changed) => {
      log.info({ changed }, 'the configuration was changed');
      log.level = live.current['log-level'];
    });
    const { unknownVariables } = live.sources;
    if (unknownVariables.length > 0)
      log.warn({ unknownVariables }, 'variables that are no settings');
    using signals = handleSignals(around, live, log);
    using supervisor = openNotifier(process.env, process.pid, log);
    await run(live, signals.stop, {
      log,
      ready: (provider) => supervisor.ready(`serving as ${provider}`),
      stopping: () => supervisor.stopping(),
      connected: (facts) => {
        const { provider, name, driver, discovery } = facts;
        around.stdout.write(
          asJson
            ? `${JSON.stringify(facts)}\n`
            : `${provider} (${name}, ${driver}) is connected to ${discovery}\n`,
        );
      },
    });
    return signals.exitCode();
  },
  exitCode: (code) => code,
});

interface Signals extends Disposable {
  readonly stop: AbortSignal;
  exitCode(): number;
}

function handleSignals(around: Surroundings, live: LiveConfig, log: Logger): Signals {
  const stopping = new AbortController();
  let code: number = EXIT.ok;
  let stoppedAt = 0;
  const stop = (signal: NodeJS.Signals) => {
    code = signal === 'SIGINT' ? EXIT.interrupted : EXIT.ok;
    if (stopping.signal.aborted) {
      if (performance.now() - stoppedAt > INSISTENCE_MILLIS) around.exit(code);
      return;
    }
    stoppedAt = performance.now();
    log.info({ signal }, 'stopping');
    stopping.abort();
  };
  // Of a terminal that is closed it is the last word; of a service it is how one asks it to reload.
  const hangup = (signal: NodeJS.Signals) => {
    if (around.stdout.isTTY) return stop(signal);
    try {
      log.info(live.reload(), 'the configuration was read again');
    } catch (error) {
      if (!(error instanceof GolemError)) throw error;
      log.error({ err: error, hint: error.hint }, 'the configuration is wrong; the old one stays');
    }
  };
  const handlers = { SIGTERM: stop, SIGINT: stop, SIGHUP: hangup } as const;
  for (const signal of SIGNALS) around.on(signal, handlers[signal]);
  return {
    stop: stopping.signal,
    exitCode: () => code,
    [Symbol.dispose]: () => {
      for (const signal of SIGNALS) around.off(signal, handlers[signal]);
    },
  };
}
const SIGNALS = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const;
