/** The command line of one guest's QEMU. Pure. */
import type { Accelerator } from '../driver.ts';
import type { GuestFolder, GuestRecord } from './folder.ts';

export interface QemuOptions {
  readonly folder: GuestFolder;
  readonly record: GuestRecord;
  readonly accelerator: Exclude<Accelerator, 'none'>;
  /** What the network backend adds. */
  readonly network: readonly string[];
  /** Go on from a saved state that is open as file descriptor 3. */
  readonly restore?: boolean;
  /** Without it QEMU may start the programs that it is told to. For templates alone. */
  readonly sandbox?: boolean;
}

/** QEMU may not start programs, change its user or raise its limits once it runs. */
const SANDBOX = 'on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny';

export function qemuArguments(options: QemuOptions): string[] {
  const { folder, record, accelerator, network, restore = false, sandbox = true } = options;
  const { kernel } = record;
  return [
    ...['-name', folder.vmId, '-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot'],
    ...['-machine', 'q35', '-accel', accelerator === 'tcg' ? 'tcg,thread=multi' : accelerator],
    // Under emulation a plain processor boots fastest; rdrand spares the guest a wait for entropy.
    ...['-cpu', accelerator === 'tcg' ? 'qemu64,+rdrand' : 'host'],
    ...['-smp', String(record.cpus), '-m', String(record.memoryMiB)],
    ...(kernel
      ? ['-kernel', kernel.vmlinuz, '-initrd', kernel.initrd, '-append', kernel.append]
      : []),
    ...disk('disk', 'qcow2', folder.disk, false),
    ...disk('seed', 'raw', folder.seed, true),
    ...network,
    ...['-device', 'virtio-rng-pci'],
    ...[
      '-chardev',
      `file,id=console,append=on,path=${escaped(folder.console)}`,
      '-serial',
      'chardev:console',
    ],
    ...['-chardev', `socket,id=control,server=on,wait=off,path=${escaped(folder.qmp)}`],
    ...['-mon', 'chardev=control,mode=control', '-pidfile', folder.pid],
    ...(sandbox ? ['-sandbox', SANDBOX] : []),
    ...(restore ? ['-incoming', 'fd:3'] : []),
  ];
}

/** JSON, so that no character of a path means anything to QEMU. */
function disk(
  name: string,
  driver: 'qcow2' | 'raw',
  filename: string,
  readOnly: boolean,
): string[] {
  const node = {
    driver,
    'node-name': name,
    'read-only': readOnly,
    discard: 'unmap',
    file: { driver: 'file', filename, 'read-only': readOnly, discard: 'unmap' },
  };
  return ['-blockdev', JSON.stringify(node), '-device', `virtio-blk-pci,drive=${name}`];
}

/** A comma ends a value in QEMU's option lists unless it is doubled. */
function escaped(path: string): string {
  return path.replaceAll(',', ',,');
}
