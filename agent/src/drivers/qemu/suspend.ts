/**
 * Suspending: the memory of a guest goes to a file of its own, and its QEMU ends.
 *
 * A memory and a disk belong together. If a guest ran on after its memory was saved, or was booted from
 * its disk, and the old memory were loaded then, its file systems would be destroyed. So one bit in
 * the guest's record decides, `suspended`, and what else lies in the folder proves nothing:
 *
 * - It is written, and on the disk, after the memory is whole and while the guest is paused. From then on
 *   the guest runs no instruction until the bit is gone.
 * - It is taken away, and that is on the disk, before the guest runs on, and before it is booted.
 *
 * An agent or a QEMU that is killed, or a power cut, can come at any step. What is found then:
 *
 * | QEMU    | bit | it was killed                        | what is done                                |
 * | ------- | --- | ------------------------------------ | ------------------------------------------- |
 * | gone    | no  | while saving, or just after the bit  | stopped, as after a power cut; the file is  |
 * |         |     | was taken away                       | rubbish and removed before the next start   |
 * | gone    | yes | between the bit and the end of a start | suspended                                 |
 * | paused  | no  | while saving, or before the last step of a start | it runs on; the file is removed |
 * | paused  | yes | before QEMU ended, or while loading  | QEMU is ended: suspended                    |
 * | running | no  | before or after all of this          | running                                     |
 * | running | yes | never by us: somebody else let it go on | its memory is old: the bit is taken away |
 *
 * `adoption` is this table.
 */
import { execFile } from 'node:child_process';
import { chmod, lchown, rm } from 'node:fs/promises';
import { relative } from 'node:path';
import { promisify } from 'node:util';
import * as z from 'zod';
import { DriverError } from '../driver.ts';
import { ownerOf, type GuestFolder } from './folder.ts';
import { finishJobs, runJob } from './jobs.ts';
import { pullPlug } from './power.ts';
import type { Qmp } from './qmp.ts';
import { readRecord, writeRecord } from './record.ts';

const run = promisify(execFile);

/** Of the block node and of the snapshot in it that is the memory. */
const MEMORY = 'memory';
/** A QEMU that saves a memory answers when it has; a large one takes minutes on a slow disk. */
const SAVE_MILLIS = 30 * 60_000;
const nodesSchema = z.array(z.object({ 'node-name': z.string() }));
const statusSchema = z.object({ status: z.string() });

/** Where a test ends a process: each is awaited once what it is named for has been done. */
export type SuspendStep =
  | 'paused'
  | 'saved'
  | 'marked'
  | 'ended'
  | 'started'
  | 'loaded'
  | 'unmarked'
  | 'going-on';
export type AtStep = (step: SuspendStep) => Promise<void>;

/** What becomes of a QEMU that was left in the middle of something. Pure; the table above. */
export function adoption(status: string, suspended: boolean): 'keep' | 'go-on' | 'end' | 'unmark' {
  const waits = ['paused', 'prelaunch', 'restore-vm', 'save-vm', 'finish-migrate'].includes(status);
  if (suspended) return waits ? 'end' : 'unmark';
  return waits ? 'go-on' : 'keep';
}

/**
 * Saves the memory of a running guest and ends its QEMU.
 * @throws {DriverError} `failed` | `aborted`: what became of it is for `adopt` to find out
 */
export async function suspendGuest(
  folder: GuestFolder,
  qmp: Qmp,
  { signal, atStep }: { readonly signal: AbortSignal; readonly atStep: AtStep },
): Promise<void> {
  const record = await readRecord(folder);
  await removeMemory(folder);
  await createMemory(folder);
  const machine = z
    .string()
    .parse(await qmp.execute('qom-get', { path: '/machine', property: 'type' }));
  await qmp.execute('stop');
  await atStep('paused');
  await qmp.execute('blockdev-add', memoryNode(folder));
  await runJob(qmp, 'snapshot-save', memorySnapshot(), signal);
  await atStep('saved');
  await writeRecord(folder, {
    ...record,
    suspended: { machine: machine.replace(/-machine$/, '') },
  });
  await atStep('marked');
  await pullPlug(folder, qmp);
  await atStep('ended');
}

/**
 * Loads the saved memory into a QEMU that was started paused, and lets it run.
 * @throws {DriverError} `failed`: it is still suspended, and its QEMU has to be ended
 */
export async function resumeGuest(
  folder: GuestFolder,
  qmp: Qmp,
  { signal, atStep }: { readonly signal: AbortSignal; readonly atStep: AtStep },
): Promise<void> {
  await atStep('started');
  await qmp.execute('blockdev-add', memoryNode(folder));
  await runJob(qmp, 'snapshot-load', memorySnapshot(), signal);
  await atStep('loaded');
  await qmp.execute('blockdev-del', { 'node-name': MEMORY });
  await discardMemory(folder);
  await atStep('unmarked');
  await qmp.execute('cont');
  await atStep('going-on');
}

/**
 * Takes up a QEMU that was left in the middle of something.
 * @returns whether it has been ended; if not, `settled` resolves when the guest runs on, which takes as
 * long as QEMU works on what it was told before
 */
export async function adopt(
  folder: GuestFolder,
  qmp: Qmp,
): Promise<{ readonly ended: boolean; readonly settled: Promise<void> }> {
  const { suspended } = await readRecord(folder);
  const { status } = statusSchema.parse(await qmp.execute('query-status', {}, SAVE_MILLIS));
  const next = adoption(status, suspended !== undefined);
  if (next === 'go-on') return { ended: false, settled: goOn(folder, qmp) };
  if (next === 'unmark') await discardMemory(folder);
  if (next === 'end') await pullPlug(folder, qmp);
  return { ended: next === 'end', settled: Promise.resolve() };
}

async function goOn(folder: GuestFolder, qmp: Qmp): Promise<void> {
  await finishJobs(qmp);
  const nodes = nodesSchema.parse(await qmp.execute('query-named-block-nodes', { flat: true }));
  if (nodes.some((node) => node['node-name'] === MEMORY)) {
    await qmp.execute('blockdev-del', { 'node-name': MEMORY });
  }
  await removeMemory(folder);
  await qmp.execute('cont');
}

/** A stopped guest from here on, or one that runs. */
export async function discardMemory(folder: GuestFolder): Promise<void> {
  const { suspended, ...record } = await readRecord(folder);
  if (suspended) await writeRecord(folder, record);
  await removeMemory(folder);
}

async function removeMemory(folder: GuestFolder): Promise<void> {
  await rm(folder.memory, { force: true });
}

/** The size is that of the disk which it has no need of; the memory is kept beyond its end. */
async function createMemory(folder: GuestFolder): Promise<void> {
  await run('qemu-img', ['create', '-q', '-f', 'qcow2', folder.memory, '1M']).catch(
    (cause: unknown) => {
      throw new DriverError('failed', 'There is no room for the memory of the guest.', { cause });
    },
  );
  await chmod(folder.memory, 0o600);
  const user = await ownerOf(folder);
  if (user) await lchown(folder.memory, user.uid, user.gid);
}

/** By the name that it has in the folder that QEMU runs in. */
function memoryNode(folder: GuestFolder) {
  const file = { driver: 'file', filename: relative(folder.run, folder.memory) };
  return { driver: 'qcow2', 'node-name': MEMORY, file };
}

/** The disk is no part of it: it stays as it is, for as long as the guest does not run. */
function memorySnapshot() {
  return { tag: MEMORY, vmstate: MEMORY, devices: [MEMORY] };
}
