/** The shell of a memory guest: one program to a line, quotes, and output into a file. */
import { findProgram, ProgramError, type GuestSystem, type Input, type Write } from './programs.ts';

/** A file lives in the guest's record, which is written whole with every change. */
const FILE_BYTES = 1024 * 1024;
/** What is typed beyond this on one line is dropped. */
const LINE_CHARS = 4096;

export interface Session {
  readonly stdin: Input;
  readonly write: Write;
  readonly guest: GuestSystem;
}

/** Runs one line. @returns its exit code @throws {ProgramError} */
export async function runLine(line: string, { stdin, write, guest }: Session): Promise<number> {
  const { words, target } = parseLine(line);
  const [name, ...args] = words;
  if (name === undefined) return 0;
  const program = findProgram(name);
  if (target === undefined) return program({ args, stdin, write, guest });
  const file = new Buffered();
  const exitCode = await program({ args, stdin, write: file.write, guest });
  await guest.writeFile(target, file.content());
  return exitCode;
}

/**
 * Runs lines until `exit` or the end of input.
 * @param typed a person types on a terminal: what comes in is shown, lines end with CR LF
 * @returns the exit code of the last line
 */
export async function interact({ stdin, write, guest }: Session, typed: boolean): Promise<number> {
  const show: Write = async (chunk) => (typed ? write(chunk) : undefined);
  const output: Write = (chunk) =>
    write(typed ? Buffer.from(chunk).toString().replaceAll('\n', '\r\n') : chunk);
  const prompt = `${guest.user}@${guest.hostname}:~$ `;
  let line = '';
  let exitCode = 0;
  await show(prompt);
  for await (const key of keys(stdin)) {
    if (key === '\x04' && line === '') break;
    if (key === '\r' || key === '\n') {
      await show('\r\n');
      exitCode = await runAnyLine(line, { stdin: noInput(), write: output, guest });
      if (/^\s*exit(?:\s|$)/.test(line)) break;
      line = '';
      await show(prompt);
    } else if (key === '\x03') {
      line = '';
      await show(`^C\r\n${prompt}`);
    } else if (key === '\x7f') {
      if (line !== '') await show('\b \b');
      line = line.slice(0, -1);
    } else if (line.length < LINE_CHARS) {
      line += key;
      await show(key);
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

/** An error of one line is shown, and ends nothing. */
async function runAnyLine(line: string, session: Session): Promise<number> {
  try {
    return await runLine(line, session);
  } catch (error) {
    if (!(error instanceof ProgramError)) throw error;
    await session.write(`${error.message}\n`);
    return error.exitCode;
  }
}

/** Programs in a shell have no input of their own: the shell reads it. */
async function* noInput(): AsyncGenerator<Uint8Array> {
  yield* [];
}

/** What a program writes into a file. */
class Buffered {
  readonly #chunks: Buffer[] = [];
  #size = 0;

  readonly write: Write = async (chunk) => {
    const bytes = Buffer.from(chunk as Uint8Array);
    this.#size += bytes.length;
    if (this.#size > FILE_BYTES) throw new ProgramError('sh: write error: No space left on device');
    this.#chunks.push(bytes);
  };

  content(): Buffer {
    return Buffer.concat(this.#chunks);
  }
}
