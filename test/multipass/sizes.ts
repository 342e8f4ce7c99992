/** Sizes as Multipass reads and shows them. */

const UNITS = { '': 1, K: 1024, M: 1024 ** 2, G: 1024 ** 3 } as const;
export const GIB = 1024 ** 3;
export const LEAST = { memory: 128 * 1024 ** 2, disk: 512 * 1024 ** 2 } as const;

/** @returns bytes, or undefined for what is no size */
export function readSize(text: string): number | undefined {
  const [, amount = '', unit = ''] =
    /^(\d+(?:\.\d+)?)\s*(?:([KMG])i?B?|B)?$/i.exec(text.trim()) ?? [];
  if (amount === '' || (amount.includes('.') && unit === '')) return undefined;
  return Math.floor(Number(amount) * UNITS[unit.toUpperCase() as keyof typeof UNITS]);
}

export function showSize(bytes: number): string {
  for (const unit of ['G', 'M', 'K'] as const) {
    if (bytes >= UNITS[unit]) return `${(bytes / UNITS[unit]).toFixed(1)}${unit}iB`;
  }
  return `${bytes}B`;
}
