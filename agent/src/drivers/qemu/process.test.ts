/** What can go wrong between `spawn` and the first answer, with programs that stand in for QEMU. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createGuestFolder, guestFolder, tail, type GuestFolder } from './folder.ts';
import { killQemu, qemuGone, qemuPid, startQemu } from './process.ts';

let stateDir: string;
let folder: GuestFolder;
beforeEach(async () => {
  stateDir = await mkdtemp(join(tmpdir(), 'golem-'));
  folder = guestFolder(stateDir, `vm_${'a'.repeat(20)}`);
  await createGuestFolder(folder);
});
afterEach(() => rm(stateDir, { recursive: true }));

/** Starts Node with `script` in the place of QEMU. */
const start = (script: string, signal = new AbortController().signal) =>
  startQemu({ command: [process.execPath, '-e', script], folder, signal });

test('a start that fails says why, in the words of QEMU and without our paths', async () => {
  const script = `console.error("qemu-system-x86_64: -blockdev x: Could not open '/home/me/.data/disk.qcow2': Permission denied"); process.exit(1)`;
  await expect(start(script)).rejects.toMatchObject({
    code: 'failed',
    message: "QEMU did not start: -blockdev x: Could not open 'disk.qcow2': Permission denied.",
  });
});

test('a start that fails without a word says how it ended', async () => {
  await expect(start('process.exit(3)')).rejects.toThrow('QEMU did not start: it ended with 3.');
});

test('a QEMU that is not installed is an error like any other', async () => {
  const { signal } = new AbortController();
  const started = startQemu({ command: [join(stateDir, 'none')], folder, signal });
  await expect(started).rejects.toMatchObject({ code: 'failed', message: /ENOENT/ });
});

test('a start that is aborted leaves no process, though nothing told its pid', async () => {
  const abort = new AbortController();
  const started = start('console.log(process.pid); setInterval(() => {}, 1000)', abort.signal);
  started.catch(() => undefined);
  await expect.poll(() => tail(folder.log, 100)).toMatch(/^\d+\n/);
  const pid = Number(await tail(folder.log, 100));
  expect(() => process.kill(pid, 0)).not.toThrow();
  abort.abort();
  await expect(started).rejects.toMatchObject({ code: 'aborted' });
  expect(() => process.kill(pid, 0)).toThrow('ESRCH');
});

test.each([
  ['another program', () => String(process.pid)],
  ['nobody', () => '99999999'],
  ['nothing', () => ''],
  ['every process', () => '-1'],
  ['init', () => '1'],
])('a pid file that names %s is no guest, and nothing is killed for it', async (_, text) => {
  await writeFile(folder.pid, text());
  expect(await qemuPid(folder)).toBeUndefined();
  expect(await qemuGone(folder, 0)).toBe(true);
  await killQemu(folder);
});

describe('a QEMU whose pid file is of no use', () => {
  /** Looks to the system like a QEMU of this guest. */
  const imposter = (cwd: string) => {
    const args = ['-e', 'setInterval(() => {}, 1000)', '--', '-name', folder.vmId];
    return spawn(process.execPath, args, { argv0: 'qemu-system-x86_64', cwd, stdio: 'ignore' });
  };

  test.runIf(process.platform === 'linux')('is found by its name and its folder', async () => {
    const child = imposter(folder.run);
    await writeFile(folder.pid, '');
    await expect.poll(() => qemuPid(folder)).toBe(child.pid);
    await writeFile(folder.pid, String(process.pid));
    expect(await qemuPid(folder)).toBe(child.pid);
    await killQemu(folder);
    expect(await qemuPid(folder)).toBeUndefined();
  });

  test('is not one of the same name that runs elsewhere', async () => {
    const child = imposter(stateDir);
    await once(child, 'spawn');
    await writeFile(folder.pid, String(child.pid));
    expect(await qemuPid(folder)).toBeUndefined();
    child.kill('SIGKILL');
  });

  test('is not looked for again once it is known to be gone', async () => {
    await writeFile(folder.pid, '99999999');
    expect(await qemuPid(folder)).toBeUndefined();
    expect(await readdir(folder.path)).toContain('qemu.pid');
    await utimes(folder.pid, 0, 0);
    expect(await qemuPid(folder)).toBeUndefined();
    expect(await readdir(folder.path)).not.toContain('qemu.pid');
  });
});
