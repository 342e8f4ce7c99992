import { generateOpenSshKeyPair } from '@vm-on-golem/shared/openssh';
import ssh2 from 'ssh2';
import {
  array,
  assert,
  constantFrom,
  integer,
  jsonValue,
  property,
  record,
  string,
} from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { readUserData, renderSeed, type SeedOptions } from './seed.ts';

const KEY = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAjjhnN72cAd+Q2QsTVFhAz/YtZm9uPqDFwVzRSDS1OD me';
const hostKey = await generateOpenSshKeyPair();

function rendered(change: Partial<SeedOptions> = {}): Record<string, unknown> {
  const { userData } = renderSeed({
    instanceId: 'i-vm_x',
    hostname: 'web',
    sshKeys: [KEY],
    hostKey,
    ...change,
  });
  expect(userData.startsWith('#cloud-config\n')).toBe(true);
  return parse(userData, { version: '1.1' }) as Record<string, unknown>;
}

/** Those that mean something to YAML, and some that do not. */
const COMMENT_CHARACTERS = ' ~!"#\'%&*-:[]{}|>?@`\\a1,'.split('');

describe('the seed', () => {
  test('brings the owner’s keys, and the host key that the guest proves itself by', () => {
    const config = rendered();
    expect(config).toEqual({
      ssh_authorized_keys: [KEY],
      ssh_deletekeys: true,
      ssh_keys: { ed25519_private: hostKey.privateKey, ed25519_public: hostKey.publicKey },
      ssh_pwauth: false,
      manage_etc_hosts: true,
      locale: false,
    });
    const parsed = ssh2.utils.parseKey(hostKey.privateKey);
    if (parsed instanceof Error) throw parsed;
    const line = `${parsed.type} ${parsed.getPublicSSH().toString('base64')}`;
    expect(line).toBe(hostKey.publicKey);
  });

  test('names the guest', () => {
    const { metaData } = renderSeed({
      ...{ instanceId: 'i-vm_x', hostname: 'web', sshKeys: [KEY], hostKey },
    });
    expect(metaData).toBe('instance-id: i-vm_x\nlocal-hostname: web\n');
  });

  test('is block lists and unfolded lines, for readers that know no more of YAML', () => {
    const long = `${KEY}-${'x'.repeat(180)} with a long comment`;
    const { userData } = renderSeed({
      ...{ instanceId: 'i-vm_x', hostname: 'web', sshKeys: [long, KEY], hostKey },
      userData: readUserData('#cloud-config\nruncmd: [[echo, hi]]\n'),
    });
    expect(userData).toContain(`\nssh_authorized_keys:\n  - ${long}\n  - ${KEY}\n`);
    expect(userData).toContain('\n  ed25519_private: |\n    -----BEGIN OPENSSH PRIVATE KEY-----\n');
    expect(userData).toContain('\nruncmd:\n  - - echo\n    - hi\n');
  });

  test('survives any key comment', () => {
    assert(
      property(
        array(string({ unit: constantFrom(...COMMENT_CHARACTERS) }), {
          minLength: 1,
          maxLength: 4,
        }),
        (comments) => {
          const sshKeys = comments.map((comment) => `ssh-rsa AAAA ${comment}`.trim());
          expect(rendered({ sshKeys })['ssh_authorized_keys']).toEqual(sshKeys);
        },
      ),
    );
  });
});

describe('an owner’s user data', () => {
  const merged = (text: string) => rendered({ userData: readUserData(text) });

  test('sets what it likes, but never who may log in or who the guest is', () => {
    const config = merged(`#cloud-config
ssh_keys: { rsa_private: evil }
ssh_deletekeys: false
ssh_authorized_keys: [ssh-rsa THEIRS, "${KEY}"]
ssh_pwauth: true
packages: [nginx]
users:
  - name: bob
`);
    expect(config).toMatchObject({
      ssh_keys: { ed25519_private: hostKey.privateKey },
      ssh_deletekeys: true,
      ssh_authorized_keys: [KEY, 'ssh-rsa THEIRS'],
      ssh_pwauth: true,
      packages: ['nginx'],
      users: ['default', { name: 'bob' }],
    });
    expect(config['ssh_keys']).not.toHaveProperty('rsa_private');
  });

  test('may be a script, which is carried word for word and run once', () => {
    const text = '#!/bin/sh\n# tabs\tand  spaces \n\necho "ok: $1" >> /x\n';
    expect(merged(text)).toMatchObject({
      write_files: [{ permissions: '0700', content: text }],
      runcmd: [['/var/lib/golem/user-data']],
    });
  });

  test('may be empty', () => {
    expect(merged('#cloud-config\n')).toEqual(rendered());
  });

  test.each([
    ['nothing', ''],
    ['plain text', 'hello'],
    ['a MIME archive', 'Content-Type: multipart/mixed; boundary="x"\n'],
    ['a list', '#cloud-config\n- a\n'],
    ['no YAML', '#cloud-config\na: [\n'],
    ['a key twice', '#cloud-config\na: 1\na: 2\n'],
    ['two documents', '#cloud-config\na: 1\n---\nb: 2\n'],
  ])('is refused when it is %s', (_what, text) => {
    expect(() => readUserData(text)).toThrow(expect.objectContaining({ code: 'invalid_request' }));
  });

  test('that unfolds without end is refused', () => {
    const levels = Array.from(
      { length: 12 },
      (_, n) => `l${n + 1}: &l${n + 1} [${Array(9).fill(`*l${n}`).join(', ')}]`,
    );
    const bomb = `#cloud-config\nl0: &l0 [x, x]\n${levels.join('\n')}\n`;
    expect(() =>
      renderSeed({
        ...{ instanceId: 'i', hostname: 'web', sshKeys: [KEY], hostKey },
        userData: readUserData(bomb),
      }),
    ).toThrow(
      expect.objectContaining({
        code: expect.stringMatching(/invalid_request|payload_too_large/) as string,
      }),
    );
  });

  test('keeps every setting of its own, whatever its type', () => {
    const settings = record({ a: jsonValue({ maxDepth: 3 }), b: array(integer()), c: string() });
    assert(
      property(settings, (theirs) => {
        const config = merged(`#cloud-config\n${JSON.stringify(theirs)}\n`);
        expect(config).toMatchObject(JSON.parse(JSON.stringify(theirs)) as object);
      }),
    );
  });
});
