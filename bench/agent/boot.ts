/** From nothing to a first SSH login: QEMU by hand, and a VM that is rented. */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, open, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { generateOpenSshKeyPair } from '@vm-on-golem/shared/openssh';
import { seedIso } from '../../agent/src/drivers/qemu/iso.ts';
import { renderSeed } from '../../agent/src/vms/seed.ts';
import { freePort } from '../../agent/test/ports.ts';
import { golemFor } from '../../test/golem.ts';
import type { GuestImage } from '../../agent/src/drivers/driver.ts';
import { SIZE } from './creations.ts';

const run = promisify(execFile);
const QEMU = 'qemu-system-x86_64';
const BOOT_MILLIS = 120_000;
/** What somebody who does it by hand would look for, as often as costs nothing. */
const MARKER_POLL_MILLIS = 10;

/** A person with QEMU and ssh: no agent, no discovery, no relay. */
export class ByHand {
  readonly #dir: string;
  readonly #image: GuestImage;

  constructor(dir: string, image: GuestImage) {
    this.#dir = dir;
    this.#image = image;
  }

  /** Makes a disk and a seed, boots, logs in once, and ends it. @returns milliseconds to the login */
  async boot(accelerator: string): Promise<number> {
    const dir = join(this.#dir, 'by-hand');
    await mkdir(dir, { recursive: true });
    const keys = await this.#keys(dir);
    const port = await freePort();
    const started = performance.now();
    const child = await this.#start(dir, port, accelerator, keys.seed);
    try {
      await this.#marker(join(dir, 'console'), child.exitCode);
      await run('ssh', [
        ...['-F', 'none', '-i', join(dir, 'key'), '-p', String(port), '-o', 'BatchMode=yes'],
        ...['-o', 'StrictHostKeyChecking=yes', '-o', `UserKnownHostsFile=${join(dir, 'hosts')}`],
        ...['-o', 'HostKeyAlias=guest', '-o', 'LogLevel=ERROR', `${this.#image.user}@127.0.0.1`],
        'true',
      ]);
      return performance.now() - started;
    } finally {
      child.kill('SIGKILL');
      await once(child, 'close');
      await rm(dir, { recursive: true });
    }
  }

  async #keys(dir: string): Promise<{ seed: Buffer }> {
    const [hostKey, key] = [await generateOpenSshKeyPair(), await generateOpenSshKeyPair()];
    await writeFile(join(dir, 'key'), key.privateKey, { mode: 0o600 });
    await writeFile(join(dir, 'hosts'), `guest ${hostKey.publicKey}\n`);
    const { userData, metaData } = renderSeed({
      ...{ instanceId: 'i-by-hand', hostname: 'guest', sshKeys: [key.publicKey], hostKey },
    });
    return { seed: seedIso({ 'user-data': userData, 'meta-data': metaData }) };
  }

  async #start(dir: string, port: number, accelerator: string, seed: Buffer) {
    const { disk, kernel } = this.#image;
    await writeFile(join(dir, 'seed.iso'), seed);
    const overlay = join(dir, 'disk.qcow2');
    await run('qemu-img', [
      ...['create', '-q', '-f', 'qcow2', '-F', 'qcow2', '-b', disk, overlay, `${SIZE.storageGiB}G`],
    ]);
    await using log = await open(join(dir, 'log'), 'w');
    return spawn(
      QEMU,
      [
        ...['-nodefaults', '-no-user-config', '-display', 'none', '-machine', 'q35'],
        ...['-accel', accelerator, '-cpu', accelerator === 'kvm' ? 'host' : 'qemu64,+rdrand'],
        ...['-smp', String(SIZE.cpus), '-m', String(SIZE.memoryMiB)],
        ...(kernel
          ? ['-kernel', kernel.vmlinuz, '-initrd', kernel.initrd, '-append', kernel.append]
          : []),
        ...['-drive', `file=${overlay},if=virtio,format=qcow2`],
        ...['-drive', `file=${join(dir, 'seed.iso')},if=virtio,format=raw,readonly=on`],
        ...['-netdev', `user,id=n,restrict=on,ipv6=off,hostfwd=tcp:127.0.0.1:${port}-:22`],
        ...['-device', 'virtio-net-pci,netdev=n,romfile=', '-device', 'virtio-rng-pci'],
        ...['-serial', `file:${join(dir, 'console')}`],
      ],
      { stdio: ['ignore', log.fd, log.fd] },
    );
  }

  async #marker(console: string, exitCode: number | null): Promise<void> {
    const marker = this.#image.readyMarker ?? '';
    for (const deadline = Date.now() + BOOT_MILLIS; ; await sleep(MARKER_POLL_MILLIS)) {
      const said = await readFile(console, 'utf8').catch(() => '');
      if (said.includes(marker)) return;
      if (exitCode !== null || Date.now() > deadline) throw new Error('QEMU did not boot');
    }
  }
}

/** A person with `golem`. */
export class Rented {
  readonly #golem: ReturnType<typeof golemFor>;
  #count = 0;

  constructor(discovery: string, home: string, program: string) {
    this.#golem = golemFor({ GOLEM_DISCOVERY: discovery }, home, [], program);
  }

  /** `create`, `ssh -- true`, `destroy`. @returns milliseconds from the first to the end of the second */
  async boot(): Promise<number> {
    const name = `bench-${(this.#count += 1)}`;
    const started = performance.now();
    await this.#do(
      'create',
      name,
      '--cpu',
      '1',
      '--memory',
      `${SIZE.memoryMiB}M`,
      '--storage',
      '1',
    );
    await this.#do('ssh', name, '--', 'true');
    const millis = performance.now() - started;
    await this.#do('destroy', name, '--yes');
    return millis;
  }

  async #do(verb: string, ...args: string[]): Promise<void> {
    const { status, stderr } = await this.#golem('vm', verb, ...args);
    if (status !== 0) throw new Error(`golem vm ${verb} ended with ${status}: ${stderr}`);
  }
}
