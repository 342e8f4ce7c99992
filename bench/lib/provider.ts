/** The agent, whole, with the host driver: `node provider.ts PORT DISCOVERY DATA_DIR`. */
import { run } from '../../agent/src/agent.ts';
import { readConfig } from '../../agent/src/config.ts';
import { openLog } from '../../agent/src/log.ts';
import { createHostDriver } from './host-driver.ts';

const [port = '', discovery = '', dataDir = ''] = process.argv.slice(2);
const config = readConfig(
  { discovery, 'data-dir': dataDir, name: 'bench', driver: 'memory' },
  process.env,
);
const stopping = new AbortController();
process.on('SIGTERM', () => stopping.abort());
await run(config, stopping.signal, {
  log: openLog({ level: 'warn', file: undefined }),
  connected: ({ provider }) => console.log(JSON.stringify({ provider })),
  openDriver: (stateDir) => createHostDriver(stateDir, Number(port)),
});
