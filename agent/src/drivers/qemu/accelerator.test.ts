import { expect, test } from 'vitest';
import { chooseAccelerator } from './accelerator.ts';

const linux = {
  platform: 'linux',
  kvmOpens: true,
  cpuFlags: ['sse2', 'vmx'],
  kvmModule: false,
} as const;

test.each([
  ['Intel with virtualisation', linux, 'kvm'],
  ['AMD with virtualisation', { ...linux, cpuFlags: ['svm'] }, 'kvm'],
  ['flags hidden, module loaded', { ...linux, cpuFlags: [], kvmModule: true }, 'kvm'],
  ['a /dev/kvm that opens with nothing underneath', { ...linux, cpuFlags: ['sse2'] }, 'tcg'],
  ['no permission for /dev/kvm', { ...linux, kvmOpens: false }, 'tcg'],
  ['a Mac', { platform: 'darwin', kvmOpens: false, cpuFlags: [], kvmModule: false }, 'hvf'],
] as const)('%s', (_, machine, expected) => {
  expect(chooseAccelerator(machine)).toBe(expected);
});
