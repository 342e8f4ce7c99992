/** Command lines for shells in guests. Pure. */

/** As one word of any POSIX shell. */
export function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

export interface Command {
  /** The program and its arguments, word for word. */
  readonly words: readonly string[];
  /** `KEY=VALUE`. */
  readonly env?: readonly string[];
  /** Where it is run, from the user's home. */
  readonly folder?: string | undefined;
}

/** A line that runs exactly these words: no shell in between sees a space, a star or a dollar in them. */
export function lineOf({ words, env = [], folder }: Command): string {
  const parts: string[] = [];
  if (folder !== undefined)
    parts.push(`cd ${quoted(folder.startsWith('-') ? `./${folder}` : folder)}`);
  for (const assignment of env) {
    const equals = assignment.indexOf('=');
    const name = assignment.slice(0, equals);
    // Guests take no variables over SSH, mostly: the shell sets them.
    parts.push(`export ${name}=${quoted(assignment.slice(equals + 1))}`);
  }
  parts.push(words.map(quoted).join(' '));
  return parts.join(' && ');
}
