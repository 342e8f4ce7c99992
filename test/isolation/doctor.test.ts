/** `golem-provider doctor` sees from inside a guest what guests reach, before any agent was started. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Lab } from './lab.ts';
import { processesBelow } from '../leftovers.ts';

const root = join(import.meta.dirname, '../..');
const images = process.env['GOLEM_IMAGE_CACHE'] ?? join(root, '.cache/images');

let lab: Lab;
beforeAll(async () => {
  if (process.getuid?.() !== 0) throw new Error('this test has to run as root');
  lab = await Lab.open();
});
afterAll(() => lab?.[Symbol.asyncDispose]());

interface Report {
  readonly found: { readonly check: string; readonly level: string; readonly what: string }[];
}

test('a doctor boots a guest, says what it reached, and leaves nothing behind', async () => {
  const dataDir = join(lab.dir, 'd');
  const [first = '', ...words] = [
    ...lab.provider('tap'),
    process.execPath,
    ...[join(root, 'agent/bin/golem-provider.js'), 'doctor', '-o', 'json', '--config', '/dev/null'],
    ...['--discovery', 'http://internet.test', '--guest-dns', '198.51.100.2'],
    ...['--public-address', lab.network.routerAddress, '--data-dir', dataDir],
    ...['--image-dir', images, '--only-local-images', '--allow-emulation'],
  ];
  const doctor = spawn(first, words, { stdio: ['ignore', 'pipe', 'inherit'] });
  const [said] = await Promise.all([text(doctor.stdout), once(doctor, 'exit')]);
  const { found } = JSON.parse(said) as Report;
  expect(found.find(({ check }) => check === 'self-test')).toEqual({
    check: 'self-test',
    level: 'ok',
    what: expect.stringMatching(
      /^a guest reached the Internet, and none of [1-9]\d places that it must not$/,
    ) as string,
  });
  expect(lab.onProvider('ip', '-brief', 'link')).not.toContain('golem');
  expect(processesBelow(`${dataDir}/`)).toEqual([]);
});
