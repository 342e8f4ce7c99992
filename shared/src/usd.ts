/** Nano-dollars as people write them. Loads no schemas, as `money.ts` does. */

/** Six digits are a cent a year: `$0.031500`. */
export function formatUsd(nanoUsd: number): string {
  return `$${(nanoUsd / 1e9).toFixed(6)}`;
}

/** @returns nano-USD, or undefined when `text` is not a plain decimal number of dollars. */
export function parseUsd(text: string): number | undefined {
  const match = /^\$?(\d{1,6})(?:\.(\d{1,9}))?$/.exec(text);
  if (!match) return undefined;
  return Number(match[1]) * 1e9 + Number((match[2] ?? '').padEnd(9, '0'));
}
