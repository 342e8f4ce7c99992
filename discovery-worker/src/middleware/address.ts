/** IP addresses as numbers: blocks and membership. Pure. */

export interface Address {
  readonly version: 4 | 6;
  readonly value: bigint;
}

const BITS = { 4: 32n, 6: 128n } as const;

/** @returns undefined for anything but an address. An IPv4 address mapped into IPv6 is IPv4. */
export function parseAddress(text: string): Address | undefined {
  if (!text.includes(':')) {
    const value = parseIpv4(text);
    return value === undefined ? undefined : { version: 4, value };
  }
  const value = parseIpv6(text);
  if (value === undefined) return undefined;
  return value >> 32n === 0xffffn
    ? { version: 4, value: value & 0xffffffffn }
    : { version: 6, value };
}

/** What is counted as one client: an address, or the /64 that IPv6 gives to one customer. */
export function blockOf(text: string): string {
  const address = parseAddress(text);
  if (!address) return text;
  const { version, value } = address;
  return version === 4 ? `v4:${value.toString(16)}` : `v6:${(value >> 64n).toString(16)}/64`;
}

/** @param block an address, or a CIDR block such as `10.0.0.0/8`. False for what is neither. */
export function isWithin(address: Address, block: string): boolean {
  const [base = '', length, ...rest] = block.split('/');
  const network = parseAddress(base);
  if (!network || network.version !== address.version || rest.length > 0) return false;
  const bits = BITS[address.version];
  if (length === undefined) return network.value === address.value;
  if (!/^\d{1,3}$/.test(length) || BigInt(length) > bits) return false;
  const shift = bits - BigInt(length);
  return network.value >> shift === address.value >> shift;
}

function parseIpv4(text: string): bigint | undefined {
  const parts = text.split('.');
  if (parts.length !== 4 || !parts.every((part) => /^\d{1,3}$/.test(part) && Number(part) < 256)) {
    return undefined;
  }
  return parts.reduce((value, part) => (value << 8n) | BigInt(part), 0n);
}

function parseIpv6(text: string): bigint | undefined {
  const dotted = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(text);
  if (dotted) {
    const low = parseIpv4(dotted[2] ?? '');
    if (low === undefined) return undefined;
    return parseIpv6(`${dotted[1]}${(low >> 16n).toString(16)}:${(low & 0xffffn).toString(16)}`);
  }
  const [head = '', tail, ...rest] = text.split('::');
  if (rest.length > 0) return undefined;
  const groups = (part: string) => (part === '' ? [] : part.split(':'));
  const left = groups(head);
  const right = groups(tail ?? '');
  const missing = 8 - left.length - right.length;
  if (tail === undefined ? missing !== 0 : missing < 1) return undefined;
  const all = [...left, ...Array<string>(missing).fill('0'), ...right];
  if (!all.every((group) => /^[0-9a-fA-F]{1,4}$/.test(group))) return undefined;
  return all.reduce((value, group) => (value << 16n) | BigInt(`0x${group}`), 0n);
}
