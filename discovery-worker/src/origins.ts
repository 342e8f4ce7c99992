/** Origins of web pages, as the setting for cross-origin requests names them. */

/** `*`, or what browsers send as `Origin`: scheme, host and port, and nothing behind. */
export function isOrigin(text: string): boolean {
  return text === '*' || (URL.canParse(text) && new URL(text).origin === text);
}
