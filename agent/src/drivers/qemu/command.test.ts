import { expect, test } from 'vitest';
import { qemuArguments } from './command.ts';
import { guestFolder } from './folder.ts';

const vmId = `vm_${'a'.repeat(20)}`;
const kernel = { vmlinuz: '/images/vmlinuz', initrd: '/images/initrd', append: 'quiet' };
const size = { cpus: 2, memoryMiB: 512, storageGiB: 10, minMemoryMiB: 256 };
const record = { ...size, image: '/image', reserved: false, hostKey: 'ssh-ed25519 AAAA', kernel };
const build = (overrides: Partial<Parameters<typeof qemuArguments>[0]> = {}) =>
  qemuArguments({
    folder: guestFolder('/state', vmId),
    record,
    accelerator: 'kvm',
    network: ['-netdev', 'user,id=net0'],
    sandbox: true,
    ...overrides,
  });
const after = (args: string[], option: string) => args[args.indexOf(option) + 1];

test('a guest gets what was asked for', () => {
  const args = build();
  expect(after(args, '-smp')).toBe('2');
  expect(after(args, '-m')).toBe('512');
  expect(after(args, '-cpu')).toBe('host');
  expect(after(args, '-kernel')).toBe('/images/vmlinuz');
  expect(args).toContain('user,id=net0');
});

test('an image without a kernel boots from its own disk', () => {
  const { kernel: _, ...bootable } = record;
  expect(build({ record: bootable })).not.toContain('-kernel');
});

test('a memory is loaded into the board that it was saved on, before anything runs', () => {
  expect(after(build(), '-machine')).toBe('q35');
  expect(build()).not.toContain('-S');
  const suspended = { machine: 'pc-q35-7.2' };
  const args = build({ record: { ...record, suspended }, paused: true });
  expect(after(args, '-machine')).toBe('pc-q35-7.2');
  expect(args).toContain('-S');
});

test('the sandbox forbids to start programs and to get more rights', () => {
  expect(after(build(), '-sandbox')).toBe(
    'on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny',
  );
  expect(build({ sandbox: false })).not.toContain('-sandbox');
});

test('no path can smuggle in an option', () => {
  const args = build({ folder: guestFolder('/state,readonly=on', vmId) });
  const disks = args.filter((arg) => arg.startsWith('{')).map((arg) => JSON.parse(arg) as object);
  expect(disks).toMatchObject([
    { 'qom-type': 'throttle-group', id: 'disk-limits' },
    {
      driver: 'throttle',
      'throttle-group': 'disk-limits',
      file: { 'node-name': 'disk', file: { filename: '../disk.qcow2' } },
    },
    { 'node-name': 'seed', 'read-only': true },
  ]);
  expect(args.join(' ')).not.toContain('/state');
});

test('what QEMU cannot reach it is given open', () => {
  const args = build({ open: { image: 3, vmlinuz: 4, initrd: 5 }, restore: 6 });
  expect(after(args, '-kernel')).toBe('/proc/self/fd/4');
  expect(after(args, '-initrd')).toBe('/proc/self/fd/5');
  expect(after(args, '-add-fd')).toBe('fd=3,set=1');
  expect(after(args, '-incoming')).toBe('fd:6');
  expect(JSON.parse(after(args, '-blockdev') ?? '')).toMatchObject({
    file: { backing: { 'read-only': true, file: { filename: '/dev/fdset/1' } } },
  });
  expect(args.join(' ')).not.toContain('/images');
});

test('only ids of VMs become folders', () => {
  for (const id of ['../etc', '-rf', 'vm_short', `vm_${'a'.repeat(20)}/..`]) {
    expect(() => guestFolder('/state', id)).toThrow(/no VM id/);
  }
});
