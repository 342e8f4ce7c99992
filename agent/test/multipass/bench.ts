/** A Multipass driver over a stand-in whose guests run no instructions, for one test. */
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { newVmId } from '@vm-on-golem/shared/ids';
import { generateOpenSshKeyPair } from '@vm-on-golem/shared/openssh';
import type { Driver, GuestSpec, LaunchStage } from '../../src/drivers/driver.ts';
import { createMemoryDriver } from '../../src/drivers/memory/driver.ts';
import { memoryImage } from '../../src/drivers/memory/image.ts';
import { createMultipassDriver } from '../../src/drivers/multipass/driver.ts';
import { renderSeed } from '../../src/vms/seed.ts';
import { StandIn } from '../../../test/multipass/standin.ts';
import type { Version } from '../../../test/multipass/wire.ts';
import { SSH_PORT } from './subject.ts';

/** Its image for Multipass needs as much as Multipass gives at least. */
const image = { ...memoryImage, minMemoryMiB: 128 };

export async function memorySpec(authorizedKey?: string): Promise<GuestSpec> {
  const vmId = newVmId();
  const hostKey = await generateOpenSshKeyPair();
  const sshKeys = [authorizedKey ?? (await generateOpenSshKeyPair()).publicKey];
  return {
    ...{ vmId, cpus: 1, memoryMiB: 256, storageGiB: 1, hostKey: hostKey.publicKey, image },
    seed: renderSeed({ instanceId: `i-${vmId}`, hostname: 'web', sshKeys, hostKey }),
  };
}

export class Bench implements AsyncDisposable {
  readonly dir: string;
  readonly standIn: StandIn;
  readonly #drivers = new Set<Driver>();

  private constructor(dir: string, standIn: StandIn) {
    this.dir = dir;
    this.standIn = standIn;
  }

  static async open(version: Version = '1.16.3'): Promise<Bench> {
    const dir = await mkdtemp(join(tmpdir(), 'golem-mp-'));
    const openDriver = (stateDir: string) => createMemoryDriver({ stateDir });
    const standIn = await StandIn.start({
      ...{ dir: join(dir, 'multipass'), version, openDriver, image, sshPort: SSH_PORT },
    });
    return new Bench(dir, standIn);
  }

  /** @param name of its folder: another one is another agent */
  async driver(name = 'guests', queryMillis = 10_000): Promise<Driver> {
    const stateDir = join(this.dir, name);
    const options = { stateDir, queryMillis, ...this.standIn.driverOptions };
    const driver = await createMultipassDriver(options);
    this.#drivers.add(driver);
    return driver;
  }

  /** What an operator types. @returns all of what comes of it */
  async operator(...args: string[]) {
    return new Promise<{ code: number; stdout: string; stderr: string }>((resolve) => {
      const child = execFile(this.standIn.program, args, (_error, stdout, stderr) => {
        resolve({ code: child.exitCode ?? -1, stdout, stderr });
      });
      child.stdin?.end();
    });
  }

  /** Names and states of all instances, whoever they belong to. */
  async instances(): Promise<Record<string, string>> {
    const states: Record<string, string> = {};
    for (const [name, instance] of this.standIn.daemon.instances) {
      states[name] = await instance.state();
    }
    return states;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const driver of this.#drivers) await driver[Symbol.asyncDispose]();
    await this.standIn[Symbol.asyncDispose]();
    await rm(this.dir, { recursive: true, force: true });
  }
}

export const nameOf = (vmId: string) => `golem-${vmId.slice(3)}`;

export function patience(stages: LaunchStage[] = [], millis = 30_000) {
  return {
    signal: AbortSignal.timeout(millis),
    onStage: (stage: LaunchStage) => void stages.push(stage),
  };
}
