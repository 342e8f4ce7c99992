/** The command line of one guest's QEMU, which runs in the guest's `run` folder. Pure. */
import { basename, relative } from 'node:path';
import type { Accelerator } from '../driver.ts';
import type { GuestFolder } from './folder.ts';
import { DISK_LIMITS, TRANSLATED_MIB } from './confinement/limits.ts';
import type { GivenFiles } from './files.ts';
import type { GuestRecord } from './record.ts';

export interface QemuOptions {
  readonly folder: GuestFolder;
  readonly record: GuestRecord;
  readonly accelerator: Exclude<Accelerator, 'none'>;
  /** What the network backend adds. */
  readonly network: readonly string[];
  /** A saved state to go on from, as a file descriptor. */
  readonly restore?: number | undefined;
  /** Descriptors of the image, the kernel and the initrd, where QEMU may not reach them by name. */
  readonly open?: GivenFiles['open'];
  /** Boots nothing: a memory is loaded into it first. */
  readonly paused?: boolean;
  /** Without it QEMU may start the programs that it is told to. Linux alone has it. */
  readonly sandbox: boolean;
}

/** QEMU may not start programs, change its user or raise its limits once it runs. */
const SANDBOX = 'on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny';

export function qemuArguments(options: QemuOptions): string[] {
  const { folder, record, accelerator, network, restore, paused = false } = options;
  const { sandbox, open } = options;
  const file = (path: string) => relative(folder.run, path);
  const { kernel, suspended } = record;
  // A memory is loaded into the very board that it was saved on, whatever `q35` means today.
  const machine = suspended?.machine ?? 'q35';
  return [
    ...['-name', folder.vmId, '-nodefaults', '-no-user-config', '-display', 'none'],
    ...[
      '-machine',
      machine,
      '-accel',
      accelerator === 'tcg' ? `tcg,thread=multi,tb-size=${TRANSLATED_MIB}` : accelerator,
    ],
    // Under emulation a plain processor boots fastest; rdrand spares the guest a wait for entropy.
    ...['-cpu', accelerator === 'tcg' ? 'qemu64,+rdrand' : 'host'],
    ...['-smp', String(record.cpus), '-m', String(record.memoryMiB)],
    ...(kernel
      ? [
          ...['-kernel', openedOr(open?.vmlinuz, kernel.vmlinuz)],
          ...['-initrd', openedOr(open?.initrd, kernel.initrd), '-append', kernel.append],
        ]
      : []),
    // A kernel that is given goes before everything that has a place in the boot order.
    ...(open ? ['-add-fd', `fd=${open.image},set=${IMAGE_SET}`] : []),
    ...['-object', JSON.stringify(DISK_GROUP)],
    ...disk(file(folder.disk), open && `/dev/fdset/${IMAGE_SET}`),
    ...seed(file(folder.seed)),
    ...network,
    ...['-device', 'virtio-rng-pci'],
    ...[
      '-chardev',
      `file,id=console,append=on,path=${escaped(file(folder.console))}`,
      '-serial',
      'chardev:console',
    ],
    ...['-chardev', `socket,id=control,server=on,wait=off,path=${basename(folder.qmp)}`],
    ...['-mon', 'chardev=control,mode=control'],
    ...(sandbox ? ['-sandbox', SANDBOX] : []),
    ...(paused ? ['-S'] : []),
    ...(restore === undefined ? [] : ['-incoming', `fd:${restore}`]),
  ];
}

/** The number of the set that holds the image. */
const IMAGE_SET = 1;
const DISK_GROUP = {
  'qom-type': 'throttle-group',
  id: 'disk-limits',
  limits: {
    'iops-total': DISK_LIMITS.operationsPerSecond,
    'bps-total': DISK_LIMITS.bytesPerSecond,
  },
};

/**
 * JSON, so that no character of a path means anything to QEMU. A guest that writes while the host's disk
 * is full is paused, see space.ts: an error would break its file systems.
 * @param image what the disk is an overlay of, where the name that is in the disk is of no use
 */
function disk(filename: string, image: string | undefined): string[] {
  const file = { driver: 'file', filename, discard: 'unmap' };
  const readOnly = { 'read-only': true };
  const backing = image && {
    ...{ driver: 'qcow2', ...readOnly },
    file: { driver: 'file', filename: image, ...readOnly },
  };
  const qcow2 = { driver: 'qcow2', 'node-name': 'disk', discard: 'unmap', file };
  const node = {
    ...{ driver: 'throttle', 'node-name': 'limited', 'throttle-group': DISK_GROUP.id },
    discard: 'unmap',
    file: backing === undefined ? qcow2 : { ...qcow2, backing },
  };
  const device = 'virtio-blk-pci,drive=limited,bootindex=1,werror=enospc,rerror=report';
  return ['-blockdev', JSON.stringify(node), '-device', device];
}

function seed(filename: string): string[] {
  const node = {
    ...{ driver: 'raw', 'node-name': 'seed', 'read-only': true },
    file: { driver: 'file', filename, 'read-only': true },
  };
  return ['-blockdev', JSON.stringify(node), '-device', 'virtio-blk-pci,drive=seed'];
}

function openedOr(descriptor: number | undefined, path: string): string {
  return descriptor === undefined ? path : `/proc/self/fd/${descriptor}`;
}

/** A comma ends a value in QEMU's option lists unless it is doubled. */
function escaped(path: string): string {
  return path.replaceAll(',', ',,');
}
