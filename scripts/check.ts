/**
 * `npm test` and `npm run check`: format, lint with import arrows, types, dead code, then every
 * test. With arguments it runs only the tests that match them: `npm test -- relay`.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');
const filters = process.argv.slice(2);

const STATIC_STEPS: readonly (readonly [name: string, program: string, ...args: string[]])[] = [
  ['format', 'oxfmt', '--check', '.'],
  ['lint', 'oxlint', '--type-aware', '--deny-warnings'],
  ['types', 'tsc', '-p', 'shared'],
  ['types', 'tsc', '-p', 'shared/tsconfig.test.json'],
  ['types', 'tsc', '-p', 'discovery-worker'],
  ['types', 'tsc', '-p', 'discovery-worker/selfhost'],
  ['types', 'tsc', '-p', 'agent'],
  ['types', 'tsc', '-p', 'cli'],
  ['types', 'tsc', '-p', '.'],
  ['dead code', 'knip', '--no-progress'],
  ['worker bundle', 'wrangler', 'deploy', '--dry-run', '--outdir', '.wrangler/dry-run'],
];

function step(name: string, program: string, args: readonly string[]): void {
  const started = Date.now();
  const { status } = spawnSync(program, args, { cwd: root, stdio: 'inherit' });
  const seconds = ((Date.now() - started) / 1000).toFixed(1);
  console.error(
    `${status === 0 ? 'ok    ' : 'FAILED'} ${name} (${program} ${args.join(' ')}) ${seconds} s`,
  );
  if (status !== 0) process.exit(status ?? 1);
}

if (filters.length === 0) {
  for (const [name, program, ...args] of STATIC_STEPS) step(name, program, args);
}
for (const variant of ['tiny', 'interop']) {
  step('image', process.execPath, [join(root, 'scripts/image/build.ts'), '--variant', variant]);
}

const scratch = mkdtempSync(join(tmpdir(), 'golem-check-'));
const report = join(scratch, 'report.json');
const vitest = spawnSync(
  'vitest',
  ['run', '--reporter=default', '--reporter=json', `--outputFile.json=${report}`, ...filters],
  { cwd: root, stdio: 'inherit' },
);
if (vitest.status === 0) {
  const result = JSON.parse(readFileSync(report, 'utf8')) as {
    numPassedTests: number;
    numFailedTests: number;
    numPendingTests: number;
  };
  const { numPassedTests: passed, numFailedTests: failed, numPendingTests: skipped } = result;
  console.log(`tests: ${passed} passed, ${failed} failed, ${skipped} skipped`);
}
rmSync(scratch, { recursive: true });
process.exit(vitest.status ?? 1);
