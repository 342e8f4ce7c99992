/**
 * The agent, whole, with a guest whose SSH port is a port of this machine:
 * `node provider.ts PORT DISCOVERY DATA_DIR [sshd]`. With `sshd` a real one listens there, with the
 * host key and the authorised keys of the guest's seed; without, whatever does already.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '../../agent/src/agent.ts';
import { loadConfig } from '../../agent/src/config/config.ts';
import { LiveConfig } from '../../agent/src/config/live.ts';
import type { SeededGuest } from '../../agent/src/drivers/memory/seed.ts';
import { openLog } from '../../agent/src/log/log.ts';
import { createPortDriver } from './driver.ts';
import { startSshd } from './sshd.ts';

const [portText = '', discovery = '', dataDir = '', listener] = process.argv.slice(2);
const port = Number(portText);
const flags = {
  config: '/dev/null',
  discovery,
  'data-dir': dataDir,
  name: 'port',
  driver: 'memory',
  // A machine that runs tests is busy.
  ...{ 'stop-at-cpu': '100%', 'stop-at-memory': '100%', 'stop-at-disk': '100%' },
};
const live = new LiveConfig(() => loadConfig(flags, process.env));

async function bootSshd({ hostPrivateKey, authorizedKeys }: SeededGuest): Promise<Disposable> {
  const dir = join(dataDir, 'guests', 'sshd');
  await mkdir(dir, { recursive: true, mode: 0o700 });
  await writeFile(join(dir, 'host'), hostPrivateKey, { mode: 0o600 });
  const keys = authorizedKeys.map(
    (key) => `${key.type} ${key.getPublicSSH().toString('base64')}\n`,
  );
  await writeFile(join(dir, 'authorized'), keys.join(''), { mode: 0o600 });
  const sshd = await startSshd({ dir, port });
  return { [Symbol.dispose]: () => void sshd.kill() };
}

const stopping = new AbortController();
process.on('SIGTERM', () => stopping.abort());
await run(live, stopping.signal, {
  log: openLog({ level: 'warn', file: '-' }).log,
  connected: ({ provider }) => console.log(JSON.stringify({ provider })),
  openDriver: (stateDir) =>
    createPortDriver({ stateDir, port, ...(listener === 'sshd' ? { boot: bootSshd } : {}) }),
});
