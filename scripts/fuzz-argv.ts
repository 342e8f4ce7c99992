/** `npm run fuzz-argv -- [flags]`: command lines of all kinds, typed into the whole program. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { fuzzArgv } from '../test/argv-fuzz/fuzz.ts';

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '5000' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    json: { type: 'boolean', default: false },
  },
});
const [runs, seed] = [Number(values.runs), Number(values.seed)];
if (!Number.isInteger(runs) || runs < 1 || !Number.isInteger(seed)) {
  console.error('fuzz-argv: --runs takes a whole number from 1, --seed a whole number');
  process.exit(2);
}
const folder = await mkdtemp(join(tmpdir(), 'golem-argv-'));
try {
  const report = await fuzzArgv({ runs, seed, folder });
  if (values.json) {
    console.log(JSON.stringify({ fuzzArgv: report }));
  } else {
    console.log(`seed ${report.seed}: ${report.runs} command lines, and none did what none may do`);
    for (const [exit, count] of Object.entries(report.exits)) console.log(`exit ${exit}: ${count}`);
  }
} finally {
  await rm(folder, { recursive: true, force: true });
}
