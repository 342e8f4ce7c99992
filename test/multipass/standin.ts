/** A stand-in with a folder of its own: its daemon in this process, its client as a program. */
import { chmod, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { build } from 'esbuild';
import type { MultipassDriverOptions } from '../../agent/src/drivers/multipass/driver.ts';
import { Daemon, type DaemonOptions } from './daemon.ts';
import { FOLDER_VARIABLE, faultsOf, VERSION_VARIABLE, type Faults } from './wire.ts';

export class StandIn implements AsyncDisposable {
  /** Path of an executable. */
  readonly program: string;
  readonly #options: DaemonOptions;
  #daemon: Daemon | undefined;

  private constructor(options: DaemonOptions) {
    this.#options = options;
    this.program = join(options.dir, 'multipass');
  }

  static async start(options: DaemonOptions): Promise<StandIn> {
    const standIn = new StandIn(options);
    await mkdir(options.dir, { recursive: true });
    // One file without types starts in half the time, and it is started hundreds of times.
    const outfile = join(options.dir, 'multipass.mjs');
    await build({
      ...{ entryPoints: [join(import.meta.dirname, 'multipass.ts')], outfile, bundle: true },
      ...{ platform: 'node', format: 'esm', logLevel: 'error' },
    });
    // The very Node that runs this, whatever comes first on the path.
    const words = [process.execPath, outfile].map(quoted);
    const variables = [
      `${FOLDER_VARIABLE}=${quoted(options.dir)}`,
      `${VERSION_VARIABLE}=${options.version}`,
    ];
    const script = `#!/bin/sh\n${variables.join(' ')} exec ${words.join(' ')} "$@"\n`;
    await writeFile(standIn.program, script);
    await chmod(standIn.program, 0o755);
    await standIn.up();
    return standIn;
  }

  get daemon(): Daemon {
    if (!this.#daemon) throw new Error('The daemon does not run.');
    return this.#daemon;
  }

  /** Starts the daemon, which finds its instances again. */
  async up(): Promise<void> {
    this.#daemon = await Daemon.start(this.#options);
  }

  async down(): Promise<void> {
    await this.#daemon?.[Symbol.asyncDispose]();
    this.#daemon = undefined;
  }

  /** Breaks something until it is disposed of. */
  async broken(faults: Faults): Promise<AsyncDisposable> {
    const path = faultsOf(this.#options.dir);
    await writeFile(path, JSON.stringify(faults));
    return { [Symbol.asyncDispose]: () => rm(path, { force: true }) };
  }

  /** For a driver that works with this stand-in. */
  get driverOptions(): Omit<MultipassDriverOptions, 'stateDir'> {
    return {
      program: this.program,
      sshPort: this.#options.sshPort,
      accelerator: this.#options.image.id === 'memory' ? 'none' : 'tcg',
    };
  }

  /** Removes all instances, and ends. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#daemon) await this.up();
    for (const instance of this.daemon.instances.values()) {
      instance.abort.abort();
      await instance.launching;
      await this.daemon.driver.destroy(instance.saved.vmId);
    }
    await this.down();
  }
}

function quoted(word: string): string {
  return `'${word.replaceAll("'", String.raw`'\''`)}'`;
}
