/** Text comes from strangers: none of it moves the cursor, rings or starts a line. */
export function printable(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, ' ');
}
