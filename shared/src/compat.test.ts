import { describe, expect, test } from 'vitest';
import * as z from 'zod';
import {
  checkProtocol,
  healthSchema,
  PROTOCOL,
  PROVIDER_FEATURES,
  requireFeature,
  word,
  words,
} from './compat.ts';
import { operationPageSchema, vmsPageSchema } from './api.ts';
import { readErrorBody } from './error-body.ts';
import { generateIdentity } from './keys.ts';
import { offerSchema, openOffer, signOffer, type Offer } from './offer.ts';
import { consoleSchema } from './vm-commands.ts';
import { vmEventsPageSchema, usagePageSchema } from './vm-records.ts';
import { vmSchema } from './vm.ts';

const provider = await generateIdentity('provider');
const amounts = { cpus: 4, memoryMiB: 8192, storageGiB: 100, vms: 4 };
const prices = { cpuHour: 1, memoryGiBHour: 1, storageGiBHour: 1 };
/** What the first version signs. */
const oldOffer = {
  version: 1,
  provider: provider.id,
  publicKey: provider.publicKey,
  sealingKey: 'A'.repeat(43),
  name: 'attic',
  sequence: 1,
  issuedAt: '2026-01-01T00:00:00.000Z',
  driver: 'qemu',
  arch: 'x86_64',
  accelerator: 'kvm',
  isolation: 'full',
  capacity: amounts,
  available: amounts,
  prices,
  images: ['debian-12'],
  capabilities: ['suspend'],
  accepting: true,
} as const;
const vm = {
  id: `vm_${'a'.repeat(20)}`,
  name: 'web',
  state: 'running',
  image: 'debian-12',
  resources: { cpus: 1, memoryMiB: 1024, storageGiB: 10 },
  hourlyPrice: 1,
  user: 'golem',
  hostKey: 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFrfc5NrmZWP4JzxMPIQnR8bMg27oE6L4Y4dSV4b4zrV',
  createdAt: '2026-01-01T00:00:00.000Z',
};
const at = '2026-01-01T00:00:00.000Z';
const sign = (offer: object) => signOffer(offer as Offer, provider);

describe('an older side that answers a newer one', () => {
  test('an offer without features has none', async () => {
    const opened = await openOffer(await sign(oldOffer), provider.id);
    expect(opened).toEqual({ ...oldOffer, features: [] });
    for (const feature of PROVIDER_FEATURES) {
      expect(() => requireFeature(opened, feature, 'do it')).toThrow(
        expect.objectContaining({
          code: 'incompatible',
          message: 'The provider cannot do it: its version is too old.',
          hint: expect.stringContaining('update golem-provider'),
        }),
      );
    }
  });

  test('a console without offsets is a text', () => {
    expect(consoleSchema.parse({ text: 'login:' })).toEqual({ text: 'login:' });
  });

  test('a service that only says that it is well has no features', () => {
    expect(healthSchema.parse({ ok: true })).toEqual({ ok: true, features: [] });
  });
});

describe('a newer side that answers an older one', () => {
  test('an offer with words that nobody here knows is the same offer without them', async () => {
    const newer = {
      ...oldOffer,
      driver: 'firecracker',
      arch: 'riscv64',
      accelerator: 'whpx',
      isolation: 'vlan',
      capabilities: ['suspend', 'gpu', 'resize'],
      features: ['succession', 'time-travel'],
      capacity: { ...amounts, gpus: 1 },
      prices: { ...prices, gpuHour: 5 },
      mood: 'good',
    };
    expect(await openOffer(await sign(newer), provider.id)).toEqual({
      ...oldOffer,
      driver: 'unknown',
      arch: 'unknown',
      accelerator: 'unknown',
      isolation: 'unknown',
      capabilities: ['suspend', 'resize'],
      features: ['succession'],
    });
  });

  test('an offer of another version says whose update is missing', async () => {
    await expect(openOffer(await sign({ version: 2 }), provider.id)).rejects.toMatchObject({
      code: 'incompatible',
      message: 'The provider speaks version 2 of the protocol, golem version 1.',
      hint: 'Update golem.',
    });
  });

  test('a state, a notice and a size of a VM', () => {
    const newer = {
      ...vm,
      state: 'migrating',
      resources: { ...vm.resources, gpus: 1 },
      notice: { kind: 'moving', at },
      color: 'blue',
    };
    const known = { ...vm, state: 'unknown', notice: { kind: 'unknown', at } };
    expect(vmSchema.parse(newer)).toEqual(known);
    expect(vmsPageSchema.parse({ vms: [newer, vm], next: null })).toEqual({
      vms: [known, vm],
      next: null,
    });
  });

  test('an operation of a new kind, with new stages and a new error', () => {
    const page = operationPageSchema.parse({
      id: `op_${'a'.repeat(20)}`,
      vmId: vm.id,
      kind: 'migrate',
      state: 'failed',
      events: [
        { n: 1, at, stage: 'accepted' },
        { n: 2, at, stage: 'pre-copy' },
      ],
      vm: null,
      error: { code: 'too_dirty', message: 'It writes too fast.', retryable: false },
    });
    expect(page).toMatchObject({
      kind: 'unknown',
      events: [{ stage: 'accepted' }, { stage: 'unknown' }],
      error: { code: 'too_dirty', message: 'It writes too fast.' },
    });
  });

  test('history and usage', () => {
    const event = { n: 1, at, kind: 'teleport', by: 'robot' };
    expect(vmEventsPageSchema.parse({ events: [event] }).events[0]?.by).toBe('unknown');
    const record = {
      ...{ vmId: vm.id, name: 'web', owner: `gr_${'a'.repeat(26)}`, from: at, to: at },
      ...{ running: true, resources: { ...vm.resources, gpus: 2 }, hourlyPrice: 1, amount: 1 },
    };
    const page = usagePageSchema.parse({ records: [record], next: null, total: 1 });
    expect(page.records[0]?.resources).toEqual(vm.resources);
  });

  test.each([
    [400, false, 'invalid_request'],
    [401, false, 'bad_signature'],
    [403, false, 'forbidden'],
    [404, false, 'not_found'],
    [409, false, 'wrong_state'],
    // Never `vm_gone`: what is gone is forgotten.
    [410, false, 'not_found'],
    [418, false, 'internal'],
    [422, false, 'invalid_request'],
    [429, true, 'rate_limited'],
    [500, false, 'internal'],
    [501, false, 'unsupported'],
    // Never `provider_offline`: that would say that the request never arrived.
    [503, true, 'link_lost'],
    [503, false, 'draining'],
    [504, true, 'provider_timeout'],
  ])(
    'an error of status %d that nobody here knows: retryable %s, %s',
    (status, retryable, code) => {
      const error = { code: 'quota_gone', message: 'The quota is gone.', retryable, retryAfter: 9 };
      expect(readErrorBody({ error }, status)).toMatchObject({
        ...{ code, message: 'The quota is gone.', retryAfter: 9 },
        hint: 'A newer version calls this quota_gone: look for an update.',
      });
      const hint = 'Buy more.';
      expect(readErrorBody({ error: { ...error, hint } }, status)).toMatchObject({ code, hint });
    },
  );
});

describe('words', () => {
  const schema = z.object({ one: word(['a', 'b']), many: words(['a', 'b']) });

  test('of both sides', () => {
    expect(schema.parse({ one: 'b', many: ['b', 'c', 'a'] })).toEqual({
      one: 'b',
      many: ['b', 'a'],
    });
  });

  test.each([
    { one: '', many: [] },
    { one: 5, many: [] },
    { one: 'A', many: [] },
    { one: '\u001b[2J', many: [] },
    { one: 'a'.repeat(41), many: [] },
    { one: 'a', many: ['<script>'] },
    { one: 'a', many: Array.from({ length: 65 }, () => 'a') },
  ])('%j has what no version says', (value) => {
    expect(schema.safeParse(value).success).toBe(false);
  });

  test('of a list that is signed again keep what was signed', async () => {
    const signed = await sign({ ...oldOffer, driver: 'firecracker' });
    expect(JSON.parse(signed.text)).toMatchObject({ driver: 'firecracker' });
    expect(offerSchema.parse(JSON.parse(signed.text)).driver).toBe('unknown');
  });
});

describe('the version of the protocol', () => {
  const parties = { them: 'the discovery service', us: 'golem' };

  test.each([undefined, null, PROTOCOL.version, String(PROTOCOL.version), 'nonsense', '-1'])(
    '%j is no reason to refuse',
    (said) => {
      expect(() => checkProtocol(said, parties)).not.toThrow();
    },
  );

  test.each([
    [PROTOCOL.version + 1, 'Update golem.'],
    [String(PROTOCOL.oldest - 1), 'Update the discovery service.'],
  ])('%j: %s', (said, hint) => {
    expect(() => checkProtocol(said, parties)).toThrow(
      expect.objectContaining({ code: 'incompatible', hint }),
    );
  });
});
