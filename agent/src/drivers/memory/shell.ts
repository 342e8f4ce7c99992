/** The shell of a memory guest: one program to a line, quotes, and output into a file. */
import {
  findProgram,
  ProgramError,
  type GuestSystem,
  type Input,
  type Output,
} from './programs.ts';

/** A file lives in the guest's record, which is written whole with every change. */
const FILE_BYTES = 1024 * 1024;
/** What is typed beyond this on one line is dropped. */
const LINE_CHARS = 4096;

/** Runs one line. */
export async function* runLine(line: string, stdin: Input, guest: GuestSystem): Output {
  const { words, target } = parseLine(line);
  const [name, ...args] = words;
  if (name === undefined) return 0;
  const output = findProgram(name)({ args, stdin, guest });
  if (target === undefined) return yield* output;
  const { content, exitCode } = await collect(output);
  await guest.writeFile(target, content);
  return exitCode;
}

/**
 * Lines until `exit` or the end of input.
 * @param typed a person types on a terminal: what comes in is shown, lines end with CR LF
 */
export async function* interact(stdin: Input, guest: GuestSystem, typed: boolean): Output {
  const prompt = `${guest.user}@${guest.hostname}:~$ `;
  let line = '';
  let exitCode = 0;
  if (typed) yield prompt;
  for await (const key of keys(stdin)) {
    if (key === '\x04' && line === '') break;
    if (key === '\r' || key === '\n') {
      if (typed) yield '\r\n';
      for await (const output of runToEnd(line, guest, (code) => (exitCode = code))) {
        yield typed ? output.replaceAll('\n', '\r\n') : output;
      }
      if (/^\s*exit(\s|$)/.test(line)) return exitCode;
      line = '';
      if (typed) yield prompt;
    } else if (key === '\x03') {
      line = '';
      if (typed) yield `^C\r\n${prompt}`;
    } else if (key === '\x7f') {
      if (typed && line !== '') yield '\b \b';
      line = line.slice(0, -1);
    } else if (line.length < LINE_CHARS) {
      line += key;
      if (typed) yield key;
    }
  }
  return exitCode;
}

/** @throws {ProgramError} */
export function parseLine(line: string): { words: string[]; target: string | undefined } {
  const words: string[] = [];
  let target: string | undefined;
  let word: string | undefined;
  let quote: string | undefined;
  let redirected = false;
  const endWord = () => {
    if (word === undefined) return;
    if (!redirected) words.push(word);
    else if (target === undefined) target = word;
    else throw new ProgramError('sh: syntax error: one file after >', 2);
    word = undefined;
  };
  for (const char of line) {
    if (quote !== undefined) {
      if (char === quote) quote = undefined;
      else word += char;
    } else if (char === "'" || char === '"') {
      quote = char;
      word ??= '';
    } else if (/\s/.test(char)) {
      endWord();
    } else if (char === '>') {
      endWord();
      if (redirected) throw new ProgramError('sh: syntax error: one > on a line', 2);
      redirected = true;
    } else {
      word = (word ?? '') + char;
    }
  }
  if (quote !== undefined) throw new ProgramError('sh: syntax error: unterminated quote', 2);
  endWord();
  if (redirected && target === undefined) {
    throw new ProgramError('sh: syntax error: no file after >', 2);
  }
  return { words, target };
}

async function* keys(stdin: Input): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  for await (const chunk of stdin) yield* decoder.decode(chunk, { stream: true });
}

/** One line of a session: an error is shown and ends nothing. Programs have no input of their own. */
async function* runToEnd(
  line: string,
  guest: GuestSystem,
  onExit: (exitCode: number) => void,
): AsyncGenerator<string> {
  const output = runLine(line, noInput(), guest);
  try {
    for (;;) {
      const next = await output.next();
      if (next.done) return onExit(next.value);
      yield typeof next.value === 'string' ? next.value : Buffer.from(next.value).toString();
    }
  } catch (error) {
    if (!(error instanceof ProgramError)) throw error;
    onExit(error.exitCode);
    yield `${error.message}\n`;
  }
}

async function* noInput(): AsyncGenerator<Uint8Array> {}

async function collect(output: Output): Promise<{ content: Buffer; exitCode: number }> {
  const chunks: Buffer[] = [];
  let size = 0;
  for (;;) {
    const next = await output.next();
    if (next.done) return { content: Buffer.concat(chunks), exitCode: next.value };
    const chunk = Buffer.from(next.value as Uint8Array);
    size += chunk.length;
    if (size > FILE_BYTES) throw new ProgramError('sh: write error: No space left on device');
    chunks.push(chunk);
  }
}
