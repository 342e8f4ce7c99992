/** The simple commands of a shell's line, as far as examples use its syntax. */

const TOKEN =
  /\s*(?:(&&|\|\||<\(|\$\(|[|;&()]|\d?[<>]{1,2}&?)|((?:\\.|'[^']*'|"(?:\\.|[^"\\])*"|[^\s|;&()<>])+))/y;

export function commandLines(line: string): string[][] {
  const found: string[][] = [[]];
  // Of its own, as it remembers where it is.
  const token = new RegExp(TOKEN, 'y');
  let isFile = false;
  for (;;) {
    const match = token.exec(line);
    if (!match) break;
    const [, operator, word] = match;
    if (operator !== undefined) {
      isFile = /^\d?[<>]+&?$/.test(operator);
      if (!isFile) found.push([]);
    } else if (word !== undefined) {
      // What is quoted may be a command line of its own: ssh -o ProxyCommand='golem …'.
      if (!isFile) found.at(-1)?.push(unquoted(word));
      isFile = false;
      const [, inner] = /='(golem [^']*)'/.exec(word) ?? [];
      if (inner !== undefined) found.unshift(...commandLines(inner));
    }
  }
  return found
    .map((words) => words.slice(words.findIndex((word) => !/^\w+=/.test(word))))
    .filter((words) => words.length > 0);
}

function unquoted(word: string): string {
  return word.replaceAll(
    /'([^']*)'|"((?:\\.|[^"\\])*)"|\\(.)/g,
    (_, single?: string, double?: string, one?: string) =>
      single ?? double?.replaceAll(/\\(["\\$`])/g, '$1') ?? one ?? '',
  );
}
