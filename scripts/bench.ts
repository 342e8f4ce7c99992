/** `npm run bench -- NAME [--json]`: measures beside the peers, and says what it aimed at. */
import { parseArgs } from 'node:util';
import { print, type Report } from '../bench/lib/report.ts';
import { benchAgent } from '../bench/agent/agent.ts';
import { benchCli } from '../bench/cli/cli.ts';
import { benchRelay } from '../bench/relay/relay.ts';

const USAGE = `npm run bench -- NAME [flags]

  relay       SSH through the relay beside socat, a bastion and websockify
    --mib N     how much is sent each way (512)
    --runs N    of which the medians are taken (5)
  agent       the agent beside the driver and QEMU by hand
    --runs N    boots each way (10)
  cli         golem beside Node doing nothing and a bare HTTP call
    --runs N    of which the medians are taken (60)
  --quick     a short run that proves nothing
  --json      one line of JSON at the end
`;

const BENCHES: ReadonlyMap<string, () => Promise<Report>> = new Map([
  ['relay', () => benchRelay({ mib: count(values.mib, 512, 64), runs: count(values.runs, 5, 1) })],
  [
    'agent',
    () => benchAgent({ runs: count(values.runs, 10, 2), idleSeconds: values.quick ? 10 : 60 }),
  ],
  ['cli', () => benchCli({ runs: count(values.runs, 60, 5) })],
]);

const { values, positionals } = readFlags();
const [name, ...more] = positionals;
const bench = BENCHES.get(name ?? '') ?? usage('which benchmark?');
if (more.length > 0) usage('one benchmark at a time');
// What is measured is what people install.
await import('./build.ts');
print(await bench(), values.json);

function count(given: string | undefined, usual: number, quick: number): number {
  if (given === undefined) return values.quick ? quick : usual;
  const number = Number(given);
  return Number.isInteger(number) && number > 0 ? number : usage(`'${given}' is no count`);
}

function readFlags() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        mib: { type: 'string' },
        runs: { type: 'string' },
        quick: { type: 'boolean', default: false },
        json: { type: 'boolean', default: false },
      },
    });
  } catch (error) {
    return usage((error as Error).message);
  }
}

function usage(message: string): never {
  console.error(`bench: ${message}\n\n${USAGE}`);
  process.exit(2);
}
