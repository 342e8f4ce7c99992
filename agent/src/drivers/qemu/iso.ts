/**
 * The NoCloud seed disk: an ISO 9660 image (ECMA-119) with the label that cloud-init looks for.
 * Plain lower-case names, one folder, no extensions: what cloud-init and the Linux kernel read.
 */

const SECTOR = 2048;
const FIRST_DATA_SECTOR = 21;
const ROOT_SECTOR = 20;
/** A seed holds a few KiB; far more would be somebody's mistake. */
const MAX_FILE_BYTES = 1024 * 1024;

export function seedIso(files: Readonly<Record<string, string>>, label = 'CIDATA'): Buffer {
  const contents: Buffer[] = [];
  const records = [
    directoryRecord(Buffer.from([0]), ROOT_SECTOR, SECTOR, true),
    directoryRecord(Buffer.from([1]), ROOT_SECTOR, SECTOR, true),
  ];
  let sector = FIRST_DATA_SECTOR;
  for (const name of Object.keys(files).sort()) {
    const content = Buffer.from(files[name] ?? '', 'utf8');
    if (content.length > MAX_FILE_BYTES) throw new RangeError(`${name} is too large for a seed`);
    records.push(directoryRecord(Buffer.from(name, 'ascii'), sector, content.length, false));
    const sectors = Math.max(1, Math.ceil(content.length / SECTOR));
    contents.push(Buffer.concat([content], sectors * SECTOR));
    sector += sectors;
  }
  const root = Buffer.concat(records);
  if (root.length > SECTOR) throw new RangeError('too many files for one folder of a seed');
  return Buffer.concat([
    Buffer.alloc(16 * SECTOR),
    primaryDescriptor(label, sector),
    terminator(),
    pathTable('little'),
    pathTable('big'),
    Buffer.concat([root], SECTOR),
    ...contents,
  ]);
}

function directoryRecord(name: Buffer, sector: number, bytes: number, directory: boolean): Buffer {
  const record = Buffer.alloc(33 + name.length + (name.length % 2 === 0 ? 1 : 0));
  record[0] = record.length;
  bothEndian32(record, 2, sector);
  bothEndian32(record, 10, bytes);
  // 1 January 2024: a seed says nothing about when it was made.
  Buffer.from([124, 1, 1, 0, 0, 0, 0]).copy(record, 18);
  record[25] = directory ? 2 : 0;
  bothEndian16(record, 28, 1);
  record[32] = name.length;
  name.copy(record, 33);
  return record;
}

function primaryDescriptor(label: string, sectors: number): Buffer {
  const descriptor = Buffer.alloc(SECTOR);
  descriptor[0] = 1;
  descriptor.write('CD001', 1, 'ascii');
  descriptor[6] = 1;
  descriptor.fill(' ', 8, 72);
  descriptor.write(label, 40, 'ascii');
  bothEndian32(descriptor, 80, sectors);
  bothEndian16(descriptor, 120, 1);
  bothEndian16(descriptor, 124, 1);
  bothEndian16(descriptor, 128, SECTOR);
  bothEndian32(descriptor, 132, 10);
  descriptor.writeUInt32LE(18, 140);
  descriptor.writeUInt32BE(19, 148);
  directoryRecord(Buffer.from([0]), ROOT_SECTOR, SECTOR, true).copy(descriptor, 156);
  descriptor.fill(' ', 190, 813);
  for (const date of [813, 830, 847, 864]) descriptor.fill('0', date, date + 16);
  descriptor[881] = 1;
  return descriptor;
}

function terminator(): Buffer {
  const descriptor = Buffer.alloc(SECTOR);
  descriptor[0] = 255;
  descriptor.write('CD001', 1, 'ascii');
  descriptor[6] = 1;
  return descriptor;
}

/** One entry: the root folder is its own parent. */
function pathTable(order: 'little' | 'big'): Buffer {
  const table = Buffer.alloc(SECTOR);
  table[0] = 1;
  if (order === 'little') {
    table.writeUInt32LE(ROOT_SECTOR, 2);
    table.writeUInt16LE(1, 6);
  } else {
    table.writeUInt32BE(ROOT_SECTOR, 2);
    table.writeUInt16BE(1, 6);
  }
  return table;
}

function bothEndian16(buffer: Buffer, at: number, value: number): void {
  buffer.writeUInt16LE(value, at);
  buffer.writeUInt16BE(value, at + 2);
}

function bothEndian32(buffer: Buffer, at: number, value: number): void {
  buffer.writeUInt32LE(value, at);
  buffer.writeUInt32BE(value, at + 4);
}
