import { describe, expect, test } from 'vitest';
import { generateOpenSshKeyPair } from './openssh.ts';
import {
  fits,
  imageIdSchema,
  resourcesSchema,
  SIZES,
  sshPublicKeySchema,
  vmNameSchema,
  vmSchema,
} from './vm.ts';

const accepts = (schema: { safeParse(value: unknown): { success: boolean } }, value: unknown) =>
  schema.safeParse(value).success;

describe('names of VMs', () => {
  test.each(['a', 'web', 'web-1', 'a'.repeat(40)])('%s', (name) => {
    expect(accepts(vmNameSchema, name)).toBe(true);
  });

  test.each([
    ['nothing', ''],
    ['an option', '-rf'],
    ['an option of ssh', '-oProxyCommand=id'],
    ['a path', '../etc'],
    ['a folder', 'a/b'],
    ['this folder', '.'],
    ['a domain', 'a.b'],
    ['a number', '1'],
    ['an id', 'vm_aaaaaaaaaaaaaaaaaaaa'],
    ['capitals', 'Web'],
    ['a dash at the end', 'web-'],
    ['a space', 'a b'],
    ['a line break at the end', 'web\n'],
    ['a zero byte', 'web\0'],
    ['a variable', '$HOME'],
    ['letters that look alike', 'wеb'],
    ['41 characters', 'a'.repeat(41)],
  ])('not %s: %j', (_what, name) => {
    expect(accepts(vmNameSchema, name)).toBe(false);
  });
});

describe('names of images', () => {
  test.each(['debian-13', 'ubuntu-24.04', 'golem-test', '3', 'a'.repeat(64)])('%s', (id) => {
    expect(accepts(imageIdSchema, id)).toBe(true);
  });

  test.each([
    ['nothing', ''],
    ['an option', '--help'],
    ['a path', '/etc/passwd'],
    ['the folder above', '..'],
    ['a hidden file', '.ssh'],
    ['a folder', 'a/b'],
    ['a Windows path', 'a\\b'],
    ['an address', 'https:x'],
    ['an encoded path', '%2e%2e'],
    ['a line break at the end', 'debian\n'],
    ['a comma, which QEMU takes for an option', 'a,readonly=off'],
    ['65 characters', 'a'.repeat(65)],
  ])('not %s: %j', (_what, id) => {
    expect(accepts(imageIdSchema, id)).toBe(false);
  });
});

describe('public keys', () => {
  const key = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFrfc5NrmZWP4JzxMPIQnR8bMg27oE6L4Y4dSV4b4zrV';

  test.each([
    key,
    `${key} me@home`,
    `${key} several words of comment`,
    'ecdsa-sha2-nistp256 AAAA=',
    'ssh-rsa AAAAB3NzaC1yc2E=',
    'sk-ssh-ed25519@openssh.com AAAA',
  ])('%s', (line) => {
    expect(accepts(sshPublicKeySchema, line)).toBe(true);
  });

  test('those that we make', async () => {
    expect(accepts(sshPublicKeySchema, (await generateOpenSshKeyPair()).publicKey)).toBe(true);
  });

  test.each([
    ['options', `command="id" ${key}`],
    ['options without a space', `no-pty,${key}`],
    ['a second line', `${key}\n${key}`],
    ['a line break at the end', `${key}\n`],
    ['a carriage return', `${key}\rcommand="id"`],
    ['a tab', `${key}\tcomment`],
    ['a comment of other characters', `${key} ümläut`],
    ['a key type that is not safe', key.replace('ssh-ed25519', 'ssh-dss')],
    ['a certificate', key.replace('ssh-ed25519', 'ssh-ed25519-cert-v01@openssh.com')],
    ['a private key', '-----BEGIN OPENSSH PRIVATE KEY-----'],
    ['nothing behind the type', 'ssh-ed25519 '],
    ['a path', '/root/.ssh/id_ed25519.pub'],
    ['a long comment', `${key} ${'x'.repeat(201)}`],
    ['more than 1 KiB', `ssh-rsa ${'A'.repeat(1024)}`],
  ])('not with %s', (_what, line) => {
    expect(accepts(sshPublicKeySchema, line)).toBe(false);
  });
});

describe('resources', () => {
  test.each([
    { cpus: 0 },
    { cpus: 513 },
    { cpus: 1.5 },
    { cpus: '1' },
    { cpus: NaN },
    { memoryMiB: 63 },
    { memoryMiB: -1 },
    { storageGiB: 0 },
    { storageGiB: Infinity },
    { gpus: 1 },
  ])('not %j', (change) => {
    expect(accepts(resourcesSchema, SIZES.small)).toBe(true);
    expect(accepts(resourcesSchema, { ...SIZES.small, ...change })).toBe(false);
  });

  test('fit only when all of them do', () => {
    expect(fits(SIZES.medium, SIZES.medium)).toBe(true);
    expect(fits(SIZES.medium, SIZES.small)).toBe(true);
    for (const [name, value] of Object.entries(SIZES.medium)) {
      expect(fits({ ...SIZES.medium, [name]: value - 1 }, SIZES.medium)).toBe(false);
    }
  });
});

describe('a VM, as a provider describes it', () => {
  const vm = {
    id: 'vm_aaaaaaaaaaaaaaaaaaaa',
    name: 'web',
    state: 'running',
    image: 'debian-13',
    resources: SIZES.small,
    hourlyPrice: 1,
    user: 'debian',
    hostKey: 'ssh-ed25519 AAAA',
    createdAt: '2026-01-01T00:00:00Z',
  };

  test('is read', () => {
    expect(accepts(vmSchema, vm)).toBe(true);
  });

  test.each([
    ['an account that is an option', { user: '-oProxyCommand=id' }],
    ['an account that adds lines to ssh_config', { user: 'a\nProxyCommand id' }],
    ['an account with a space', { user: 'a b' }],
    ['an account of a shell', { user: '$(id)' }],
    ['a host key with a second line', { hostKey: 'ssh-ed25519 AAAA\n* ssh-ed25519 BBBB' }],
    ['a host key for other hosts', { hostKey: '@cert-authority * ssh-ed25519 AAAA' }],
    ['a name that is an option', { name: '--all' }],
    ['a state that is no word', { state: 'on fire' }],
    ['a price below nothing', { hourlyPrice: -1 }],
  ])('not with %s', (_what, change) => {
    expect(accepts(vmSchema, { ...vm, ...change })).toBe(false);
  });
});
