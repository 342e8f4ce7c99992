import { newVmId } from '@vm-on-golem/shared/ids';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { contains, network, slotCount } from '../addresses.ts';
import { macAddress } from '../card.ts';
import { namingOf, Slots } from './slots.ts';

/** What Linux takes as the name of a device, without its zero. */
const DEVICE_CHARS = 15;
const prefix = network('10.77.0.0/16');
const last = slotCount(prefix) - 1;

test('each agent has names of its own, which it finds again', () => {
  const mine = namingOf('/var/lib/golem-provider/network');
  expect(namingOf('/var/lib/golem-provider/network')).toEqual(mine);
  const other = namingOf('/home/somebody/network');
  expect([other.table, other.devicePrefix]).not.toContain(mine.table);
  expect(other.devicePrefix).not.toBe(mine.devicePrefix);
});

test('no two guests share a device, an address or counters, and Linux takes every name', () => {
  const { devicePrefix } = namingOf('/data');
  const slots = new Slots(prefix, devicePrefix);
  const slot = fc.integer({ min: 0, max: last });
  fc.assert(
    fc.property(fc.uniqueArray(slot, { minLength: 2, maxLength: 20 }), (numbers) => {
      const rules = numbers.map((slot) =>
        slots.rules(newVmId(), { slot, receivedBytes: 0, sentBytes: 0 }),
      );
      for (const field of ['name', 'device', 'address'] as const) {
        expect(new Set(rules.map((rule) => rule[field])).size).toBe(numbers.length);
      }
      for (const { device, address } of rules) {
        expect(device.length).toBeLessThanOrEqual(DEVICE_CHARS);
        expect(device.startsWith(devicePrefix)).toBe(true);
        expect(contains(prefix, network(address))).toBe(true);
      }
    }),
  );
});

test('rules are for the very card that the guest is given, and for its cap', () => {
  const slots = new Slots(prefix, 'golem0000-');
  const vmId = newVmId();
  const record = { slot: 1, bitsPerSecond: 8_000_000, receivedBytes: 5, sentBytes: 7 };
  expect(slots.rules(vmId, record)).toEqual({
    name: 'g1',
    device: 'golem0000-1',
    address: slots.addresses(record).guest,
    mac: macAddress(vmId),
    bitsPerSecond: 8_000_000,
  });
});
