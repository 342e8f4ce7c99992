/** JSON as Qt prints it: sorted keys, four spaces, and a line break within what is empty. */

type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

export function printJson(value: unknown): string {
  return `${print(value as Json, 0)}\n`;
}

function print(value: Json, depth: number): string {
  const indent = ' '.repeat(4 * (depth + 1));
  const lines = Array.isArray(value)
    ? (value as readonly Json[]).map((item) => `${indent}${print(item, depth + 1)}`)
    : typeof value === 'object' && value !== null
      ? Object.entries(value)
          .sort(([a], [b]) => (a < b ? -1 : 1))
          .map(([key, item]) => `${indent}${JSON.stringify(key)}: ${print(item, depth + 1)}`)
      : undefined;
  if (!lines) return JSON.stringify(value);
  const [open, close] = Array.isArray(value) ? '[]' : '{}';
  const body = lines.join(',\n');
  return `${open}\n${body}${body === '' ? '' : '\n'}${' '.repeat(4 * depth)}${close}`;
}
