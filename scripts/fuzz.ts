/** `npm run fuzz -- [flags]`: hostile parties at both WebSocket endpoints, honest ones beside them. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { RELAY_MODES } from '../discovery-worker/src/objects/relay/modes.ts';
import { EXIT } from '../shared/src/errors.ts';
import { ENDPOINTS, Violation } from '../test/fuzz/attack.ts';
import { runFuzz } from '../test/fuzz/fuzz.ts';
import { tableOf, totalsOf } from '../test/fuzz/report.ts';
import { interruption } from './interruption.ts';

const USAGE = `npm run fuzz -- [flags]

  --seconds N         how long (60)
  --seed N            the same seed makes the same attacks in the same order (one by the clock)
  --endpoint NAME     ${ENDPOINTS.join(' or ')} alone (both)
  --relay-mode MODE   ${RELAY_MODES.join(' or ')} (hibernating)
  --json              one line of JSON instead of the table
`;

const { seconds, seed, endpoints, relayMode, asJson } = readFlags();
const signal = interruption();
const dir = await mkdtemp(join(tmpdir(), 'fz-'));
try {
  const report = await runFuzz({
    seconds,
    seed,
    endpoints,
    relayMode,
    dir: join(dir, 's'),
    signal,
  });
  if (asJson) console.log(JSON.stringify({ fuzz: report }));
  else console.log(`${tableOf(report)}\n${totalsOf(report)}`);
  if (signal.aborted) process.exitCode = EXIT.interrupted;
} catch (error) {
  if (!(error instanceof Violation)) throw error;
  console.error(`fuzz: ${error.message}`);
  console.error(
    `again: npm run fuzz -- --seed ${seed} --relay-mode ${relayMode} --seconds ${seconds}`,
  );
  process.exitCode = 1;
} finally {
  await rm(dir, { recursive: true, force: true });
}

function readFlags() {
  let values;
  try {
    ({ values } = parseArgs({
      options: {
        seconds: { type: 'string', default: '60' },
        seed: { type: 'string', default: String(Date.now() % 1_000_000) },
        endpoint: { type: 'string' },
        'relay-mode': { type: 'string', default: 'hibernating' },
        json: { type: 'boolean', default: false },
      },
    }));
  } catch (error) {
    return usage((error as Error).message);
  }
  const { endpoint } = values;
  const endpoints = ENDPOINTS.filter((name) => endpoint === undefined || name === endpoint);
  const relayMode = RELAY_MODES.find((mode) => mode === values['relay-mode']);
  const [seconds, seed] = [Number(values.seconds), Number(values.seed)];
  if (!Number.isInteger(seconds) || seconds < 1) usage('--seconds takes a whole number from 1');
  if (!Number.isInteger(seed) || seed < 0) usage('--seed takes a whole number from 0');
  if (endpoints.length === 0) usage(`--endpoint takes ${ENDPOINTS.join(' or ')}`);
  if (!relayMode) return usage(`--relay-mode takes ${RELAY_MODES.join(' or ')}`);
  return { seconds, seed, endpoints, relayMode, asJson: values.json };
}

function usage(message: string): never {
  console.error(`fuzz: ${message}\n\n${USAGE}`);
  process.exit(2);
}
