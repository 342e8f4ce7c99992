import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import ssh2 from 'ssh2';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { encodeOpenSshKeyPair, generateOpenSshKeyPair, opensshPublicKey } from './openssh.ts';
import { generatePrivateJwk, type PrivateJwk } from './keys.ts';

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'openssh-'));
});
afterAll(() => rmSync(dir, { recursive: true }));

test('ssh-keygen reads the key, and finds the same public half', async () => {
  const { privateKey, publicKey } = await generateOpenSshKeyPair();
  const file = join(dir, 'key');
  writeFileSync(file, privateKey, { mode: 0o600 });
  expect(execFileSync('ssh-keygen', ['-y', '-f', file]).toString().trim()).toBe(publicKey);
});

test('ssh2 reads a thousand keys, those that begin with zeros among them', async () => {
  for (let count = 0; count < 1000; count += 1) {
    const { privateKey, publicKey } = await generateOpenSshKeyPair();
    const key = ssh2.utils.parseKey(privateKey);
    if (key instanceof Error) throw key;
    expect(`ssh-ed25519 ${key.getPublicSSH().toString('base64')}`).toBe(publicKey);
    expect(opensshPublicKey(privateKey)).toBe(publicKey);
  }
});

test('what it signs is verified by the public half', async () => {
  const key = ssh2.utils.parseKey((await generateOpenSshKeyPair()).privateKey);
  if (key instanceof Error) throw key;
  const data = Buffer.from('data');
  expect(key.verify(data, key.sign(data))).toBe(true);
});

test('the same key and the same random bytes give the same text', async () => {
  const jwk: PrivateJwk = await generatePrivateJwk();
  const random = (length: number) => new Uint8Array(length);
  expect(encodeOpenSshKeyPair(jwk, random)).toEqual(encodeOpenSshKeyPair(jwk, random));
});

test.each([
  '',
  'no key',
  '-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n',
])('what is no key has no public half: %j', (text) => {
  expect(opensshPublicKey(text)).toBeUndefined();
});
