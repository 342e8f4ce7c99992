import { describe, expect, test } from 'vitest';
import {
  createVmSchema,
  operationQuerySchema,
  paths,
  providersQuerySchema,
  vmsQuerySchema,
} from './api.ts';
import { LIMITS } from './limits.ts';
import { SIZES } from './vm.ts';

const key = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFrfc5NrmZWP4JzxMPIQnR8bMg27oE6L4Y4dSV4b4zrV';
const create = { name: 'web', resources: SIZES.small, image: 'debian-13', sshKeys: [key] };

describe('create', () => {
  test('the least there is', () => {
    expect(createVmSchema.parse(create)).toEqual(create);
  });

  test('everything there is', () => {
    const whole = {
      ...create,
      maxHourlyPrice: 0,
      userData: { enc: 'A'.repeat(43), ciphertext: 'AA' },
      labels: { 'team/name': 'blue', env: '' },
    };
    expect(createVmSchema.parse(whole)).toEqual(whole);
  });

  test('the largest fits into a request', () => {
    const largest = {
      ...create,
      sshKeys: Array.from({ length: LIMITS.vm.sshKeys }, () => `ssh-rsa ${'A'.repeat(1016)}`),
      userData: { enc: 'A'.repeat(43), ciphertext: 'A'.repeat(21_867) },
    };
    expect(createVmSchema.safeParse(largest).success).toBe(true);
    expect(JSON.stringify(largest).length).toBeLessThan(LIMITS.request.bodyBytes);
  });

  test.each([
    ['no key', { sshKeys: [] }],
    ['too many keys', { sshKeys: Array.from({ length: LIMITS.vm.sshKeys + 1 }, () => key) }],
    ['an option for a name', { name: '--force' }],
    ['a path for an image', { image: '../../etc/passwd' }],
    ['a key with options', { sshKeys: [`command="id" ${key}`] }],
    ['user data in the clear', { userData: '#!/bin/sh' }],
    [
      'user data that is too long',
      { userData: { enc: 'A'.repeat(43), ciphertext: 'A'.repeat(3e4) } },
    ],
    ['a price that is no whole number', { maxHourlyPrice: 0.5 }],
    ['a field that nobody knows', { sudo: true }],
    ['a label with a line break', { labels: { 'a\n': 'b' } }],
    ['a label that is an option', { labels: { '-a': 'b' } }],
    [
      'too many labels',
      { labels: Object.fromEntries(Array.from({ length: 17 }, (_, at) => [`l${at}`, ''])) },
    ],
  ])('%s', (_what, change) => {
    expect(createVmSchema.safeParse({ ...create, ...change }).success).toBe(false);
  });
});

describe('queries', () => {
  test('numbers come as text', () => {
    expect(providersQuerySchema.parse({ cpus: '2', memoryMiB: '4096', limit: '100' })).toEqual({
      cpus: 2,
      memoryMiB: 4096,
      limit: 100,
    });
    expect(operationQuerySchema.parse({})).toEqual({ after: 0, wait: 0 });
  });

  test.each(['', ' 1', '1 ', '-1', '+1', '1e3', '0x10', '1.5', '1'.repeat(17), '1\n', '١', 'NaN'])(
    '%j is no number',
    (cpus) => {
      expect(providersQuerySchema.safeParse({ cpus }).success).toBe(false);
    },
  );

  test.each([
    { cpus: '513' },
    { limit: '0' },
    { limit: '101' },
    { country: 'de' },
    { country: 'Germany' },
    { arch: 'mips' },
    { sort: 'price; DROP TABLE providers' },
    { maxHourlyPrice: '9007199254740992' },
    { cursor: 'x'.repeat(257) },
    { color: 'blue' },
  ])('%j is refused', (query) => {
    expect(providersQuerySchema.safeParse(query).success).toBe(false);
  });

  test('pages are neither empty nor held for longer than proxies allow', () => {
    expect(vmsQuerySchema.safeParse({ limit: '0' }).success).toBe(false);
    expect(operationQuerySchema.safeParse({ wait: '26' }).success).toBe(false);
    expect(operationQuerySchema.safeParse({ after: '-1' }).success).toBe(false);
  });
});

test('paths are spelled once', () => {
  expect(paths.vmAction('gp_x', 'web', 'stop')).toBe('/v1/providers/gp_x/vms/web/stop');
  expect(paths.operation('gp_x', 'op_y')).toBe('/v1/providers/gp_x/operations/op_y');
  expect(paths.ssh('gp_x', 'vm_y')).toBe('/v1/providers/gp_x/vms/vm_y/ssh');
  expect(paths.relay('ff')).toBe('/v1/relay/ff');
});
