/** The client as a process: whatever it does, a call comes to an end. */
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { MultipassCli } from './cli.ts';
import { MULTIPASS_LIMITS } from './limits.ts';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'golem-'));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

async function cli(script: string): Promise<MultipassCli> {
  const program = join(dir, 'multipass');
  await writeFile(program, `#!/bin/sh\n${script}\n`);
  await chmod(program, 0o755);
  const { PATH } = process.env;
  return new MultipassCli({ program, environment: { PATH, LC_ALL: 'de_DE.UTF-8', KEPT: 'yes' } });
}
const long = { millis: 20_000, answers: true } as const;
/** Whether the process whose id is in the file `pid` has ended. */
const isGone = async () => {
  const pid = Number(await readFile(join(dir, 'pid'), 'utf8'));
  const state = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => 'gone');
  return state === 'gone' || /\) Z/.test(state);
};

test('gives its exit code and both of its streams', async () => {
  const multipass = await cli('echo "$1 $LC_ALL $KEPT"; echo trouble >&2; exit 7');
  expect(await multipass.call(['info'], long)).toEqual({
    ...{ how: 'exited', code: 7, stdout: 'info C.UTF-8 yes\n', stderr: 'trouble\n' },
  });
});

test('hands over what it is to read, and does not mind when that is not read', async () => {
  const stdin = 'x'.repeat(1024 * 1024);
  const reading = await cli('wc -c');
  const read = await reading.call([], { ...long, stdin });
  expect(read).toMatchObject({ how: 'exited', stdout: expect.stringMatching(/^\s*1048576\s*$/) });
  const deaf = await cli('exit 0');
  expect(await deaf.call([], { ...long, stdin })).toMatchObject({ how: 'exited', code: 0 });
});

test('has nothing to read unless it is given something', async () => {
  const multipass = await cli('cat; tty || true');
  expect(await multipass.call([], long)).toMatchObject({ stdout: 'not a tty\n' });
});

test('does not look at the spinner of a command that changes something', async () => {
  const spinner = 'i=0; while [ $i -lt 20000 ]; do printf "\\b|\\b/\\b-"; i=$((i+1)); done; exit 3';
  const multipass = await cli(spinner);
  expect(await multipass.call([], { millis: 20_000 })).toMatchObject({ code: 3, stdout: '' });
});

test('keeps the end of endless complaints', async () => {
  const multipass = await cli('yes complaint | head -c 100000 >&2; echo last >&2; exit 2');
  const outcome = await multipass.call([], long);
  expect(outcome).toMatchObject({ stderr: expect.stringMatching(/complaint\nlast\n$/) });
  expect(outcome.how === 'exited' && outcome.stderr.length).toBeLessThanOrEqual(
    MULTIPASS_LIMITS.stderrBytes,
  );
});

describe('is ended', () => {
  test('when it hangs', async () => {
    const multipass = await cli('echo $$ > "$(dirname "$0")/pid"; exec sleep 86400');
    expect(await multipass.call([], { millis: 300 })).toEqual({ how: 'timeout' });
    await expect.poll(isGone).toBe(true);
  });

  test('when it hangs and does not listen', async () => {
    const script = 'trap \'\' TERM INT HUP; echo $$ > "$(dirname "$0")/pid"; while :; do :; done';
    expect(await (await cli(script)).call([], { millis: 300 })).toEqual({ how: 'timeout' });
    await expect.poll(isGone).toBe(true);
  });

  test('when nobody waits for it any more', async () => {
    const multipass = await cli('exec sleep 86400');
    const abort = new AbortController();
    const call = multipass.call([], { ...long, signal: abort.signal });
    abort.abort();
    expect(await call).toEqual({ how: 'aborted' });
    expect(await multipass.call([], { ...long, signal: abort.signal })).toEqual({ how: 'aborted' });
  });

  test('when its answer has no end', async () => {
    expect(await (await cli('exec yes')).call([], long)).toEqual({ how: 'flooded' });
  });
});

test('may have ended by a signal', async () => {
  expect(await (await cli('kill -9 $$')).call([], long)).toEqual({ how: 'crashed' });
});

test('may leave somebody behind who holds its streams', async () => {
  const multipass = await cli('sleep 5 & echo done');
  expect(await multipass.call([], long)).toMatchObject({ code: 0, stdout: 'done\n' });
});

test('may not be there, or be no program', async () => {
  const environment = {};
  const none = new MultipassCli({ program: join(dir, 'none'), environment });
  expect(await none.call([], long)).toEqual({ how: 'missing' });
  const folder = new MultipassCli({ program: dir, environment });
  expect(await folder.call([], long)).toEqual({ how: 'missing' });
});
