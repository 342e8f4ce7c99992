/** Text comes from strangers: none of it moves the cursor, rings or starts a line. */
export function printable(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, ' ');
}

/**
 * Text of JSON for a terminal: its strings are the same to whoever parses it, and none of them drives the
 * terminal. JSON itself escapes only what is below a space.
 */
export function printableJson(json: string): string {
  return json.replaceAll(/[\u007f-\u009f\p{Cf}\u2028\u2029]/gu, (mark) =>
    mark
      .split('')
      .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
      .join(''),
  );
}
