/** `npm run bench -- NAME [--json]`: measures beside the peers, and says what it aimed at. */
import { parseArgs } from 'node:util';
import { print } from '../bench/lib/report.ts';
import { benchRelay } from '../bench/relay/relay.ts';

const USAGE = `npm run bench -- relay [flags]

  --mib N     how much is sent each way (512)
  --runs N    of which the medians are taken (5)
  --quick     64 MiB, once
  --json      one line of JSON at the end
`;

const { values, positionals } = readFlags();
const [name] = positionals;
const [mib, runs] = values.quick ? [64, 1] : [Number(values.mib), Number(values.runs)];
const isWhole = [mib, runs].every((value) => Number.isInteger(value) && value > 0);
if (name !== 'relay' || positionals.length > 1 || !isWhole) usage('which benchmark?');
// What is measured is what people install.
await import('./build.ts');
print(await benchRelay({ mib, runs }), values.json);

function readFlags() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        mib: { type: 'string', default: '512' },
        runs: { type: 'string', default: '5' },
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
