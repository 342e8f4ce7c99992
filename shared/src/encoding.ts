/** Text forms of bytes: base64url (RFC 4648 §5) for keys and signatures, lower-case base32 for ids. */

const BASE32 = 'abcdefghijklmnopqrstuvwxyz234567';

export function base64UrlEncode(bytes: Uint8Array): string {
  let binary = '';
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary).replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '');
}

/** @returns undefined when `text` is not the one canonical, unpadded form of some bytes. */
export function base64UrlDecode(text: string): Uint8Array<ArrayBuffer> | undefined {
  if (!/^[A-Za-z0-9_-]*$/.test(text) || text.length % 4 === 1) return undefined;
  const binary = atob(text.replaceAll('-', '+').replaceAll('_', '/'));
  const bytes = Uint8Array.from(binary, (char) => char.charCodeAt(0));
  return base64UrlEncode(bytes) === text ? bytes : undefined;
}

/** The first `length` base32 characters (RFC 4648 §6 alphabet, lower case) of `bytes`. */
export function base32Prefix(bytes: Uint8Array, length: number): string {
  let out = '';
  let buffer = 0;
  let bits = 0;
  for (const byte of bytes) {
    buffer = ((buffer << 8) | byte) & 0xffff;
    bits += 8;
    while (bits >= 5 && out.length < length) {
      bits -= 5;
      out += BASE32[(buffer >> bits) & 31];
    }
  }
  if (out.length < length)
    throw new RangeError(`${bytes.length} bytes give no ${length} characters`);
  return out;
}

export function utf8(text: string): Uint8Array<ArrayBuffer> {
  // Some platforms' types leave open what the bytes lie in.
  return new TextEncoder().encode(text) as Uint8Array<ArrayBuffer>;
}

export function utf8Length(text: string): number {
  return utf8(text).length;
}
