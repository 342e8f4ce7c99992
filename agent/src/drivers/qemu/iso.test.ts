import fc from 'fast-check';
import { expect, test } from 'vitest';
import { seedIso } from './iso.ts';

const SECTOR = 2048;

/** Reads an image back by the standard, from its volume descriptor down. */
function readIso(image: Buffer): { label: string; files: Record<string, string> } {
  const descriptor = image.subarray(16 * SECTOR, 17 * SECTOR);
  expect(descriptor.toString('latin1', 1, 6)).toBe('CD001');
  expect(descriptor.readUInt32LE(80) * SECTOR).toBe(image.length);
  expect(descriptor.readUInt32LE(80)).toBe(descriptor.readUInt32BE(84));
  const rootSector = descriptor.readUInt32LE(156 + 2);
  const root = image.subarray(
    rootSector * SECTOR,
    rootSector * SECTOR + descriptor.readUInt32LE(156 + 10),
  );
  const files: Record<string, string> = {};
  for (let at = 0; root[at]; at += root[at] ?? SECTOR) {
    const name = root.toString('latin1', at + 33, at + 33 + (root[at + 32] ?? 0));
    if (name === '\0' || name === '\x01') continue;
    const start = root.readUInt32LE(at + 2) * SECTOR;
    files[name] = image.toString('utf8', start, start + root.readUInt32LE(at + 10));
  }
  return { label: descriptor.toString('latin1', 40, 72).trimEnd(), files };
}

test('carries the label that cloud-init looks for', () => {
  expect(readIso(seedIso({ 'user-data': '' })).label).toBe('CIDATA');
});

test('any contents come back as they were', () => {
  const contents = fc.string({ unit: 'binary', maxLength: 5000 });
  fc.assert(
    fc.property(contents, contents, contents, (userData, metaData, network) => {
      const files = { 'user-data': userData, 'meta-data': metaData, 'network-config': network };
      const expected = Object.fromEntries(
        Object.entries(files).map(([name, text]) => [name, Buffer.from(text).toString()]),
      );
      expect(readIso(seedIso(files)).files).toEqual(expected);
    }),
    { numRuns: 50 },
  );
});

test('refuses what cannot be a seed', () => {
  expect(() => seedIso({ 'user-data': 'x'.repeat(1024 * 1024 + 1) })).toThrow(/too large/);
  const many = Object.fromEntries(Array.from({ length: 60 }, (_, at) => [`file-number-${at}`, '']));
  expect(() => seedIso(many)).toThrow(/too many files/);
});
