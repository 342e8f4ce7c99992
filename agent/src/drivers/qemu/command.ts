/** The command line of one guest's QEMU. Pure. */
import type { Accelerator } from '../driver.ts';
import type { GuestFolder } from './folder.ts';
import type { GuestRecord } from './record.ts';

export interface QemuOptions {
  readonly folder: GuestFolder;
  readonly record: GuestRecord;
  readonly accelerator: Exclude<Accelerator, 'none'>;
  /** What the network backend adds. */
  readonly network: readonly string[];
  /** Go on from a saved state that is open as file descriptor 3. */
  readonly restore?: boolean;
  /** Boots nothing: a memory is loaded into it first. */
  readonly paused?: boolean;
  /** Without it QEMU may start the programs that it is told to. Linux alone has it. */
  readonly sandbox: boolean;
}

/** QEMU may not start programs, change its user or raise its limits once it runs. */
const SANDBOX = 'on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny';

export function qemuArguments(options: QemuOptions): string[] {
  const { folder, record, accelerator, network, restore = false, paused = false } = options;
  const { sandbox } = options;
  const { kernel, suspended } = record;
  // A memory is loaded into the very board that it was saved on, whatever `q35` means today.
  const machine = suspended?.machine ?? 'q35';
  return [
    ...['-name', folder.vmId, '-nodefaults', '-no-user-config', '-display', 'none'],
    ...['-machine', machine, '-accel', accelerator === 'tcg' ? 'tcg,thread=multi' : accelerator],
    // Under emulation a plain processor boots fastest; rdrand spares the guest a wait for entropy.
    ...['-cpu', accelerator === 'tcg' ? 'qemu64,+rdrand' : 'host'],
    ...['-smp', String(record.cpus), '-m', String(record.memoryMiB)],
    ...(kernel
      ? ['-kernel', kernel.vmlinuz, '-initrd', kernel.initrd, '-append', kernel.append]
      : []),
    // A kernel that is given goes before everything that has a place in the boot order.
    ...disk('disk', 'qcow2', folder.disk, 'bootindex=1'),
    ...disk('seed', 'raw', folder.seed),
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
    ...(paused ? ['-S'] : []),
    ...(restore ? ['-incoming', 'fd:3'] : []),
  ];
}

/** JSON, so that no character of a path means anything to QEMU. */
function disk(
  name: string,
  driver: 'qcow2' | 'raw',
  filename: string,
  ...properties: string[]
): string[] {
  const readOnly = driver === 'raw';
  const node = {
    driver,
    'node-name': name,
    'read-only': readOnly,
    discard: 'unmap',
    file: { driver: 'file', filename, 'read-only': readOnly, discard: 'unmap' },
  };
  const device = ['virtio-blk-pci', `drive=${name}`, ...properties].join(',');
  return ['-blockdev', JSON.stringify(node), '-device', device];
}

/** A comma ends a value in QEMU's option lists unless it is doubled. */
function escaped(path: string): string {
  return path.replaceAll(',', ',,');
}
