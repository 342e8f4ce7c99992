import { expect, test } from 'vitest';
import { ProgramError, type GuestSystem } from './programs.ts';
import { interact, parseLine, runLine, type Session } from './shell.ts';

function guest(): GuestSystem & { off: boolean } {
  const files = new Map<string, Buffer>();
  return {
    hostname: 'web',
    user: 'golem',
    cpus: 2,
    off: false,
    readFile: async (path) => files.get(path),
    writeFile: async (path, content) => void files.set(path, content),
    async powerOff() {
      this.off = true;
    },
  };
}

async function* input(...chunks: (string | Buffer)[]) {
  for (const chunk of chunks) yield Buffer.from(chunk as string);
}

interface Ran {
  readonly text: string;
  readonly exitCode: number;
}

async function ran(
  work: (session: Session) => Promise<number>,
  stdin: readonly (string | Buffer)[],
  system: GuestSystem = guest(),
): Promise<Ran> {
  const chunks: Buffer[] = [];
  const write = async (chunk: string | Uint8Array) =>
    void chunks.push(Buffer.from(chunk as string));
  const exitCode = await work({ stdin: input(...stdin), write, guest: system });
  return { text: Buffer.concat(chunks).toString(), exitCode };
}

test('words, quotes and the file that the output goes to', () => {
  expect(parseLine('')).toEqual({ words: [], target: undefined });
  expect(parseLine(`  echo 'a  b'"c > d"e '' `)).toEqual({
    words: ['echo', 'a  bc > de', ''],
    target: undefined,
  });
  expect(parseLine('cat>kept')).toEqual({ words: ['cat'], target: 'kept' });
  for (const bad of ['echo "', 'cat >', 'cat > a b', 'cat > a > b']) {
    expect(() => parseLine(bad)).toThrow(ProgramError);
  }
});

test('programs answer with their output and exit code', async () => {
  const run = (line: string, ...stdin: string[]) => ran((session) => runLine(line, session), stdin);
  expect(await run('hostname')).toEqual({ text: 'web\n', exitCode: 0 });
  expect(await run('nproc')).toEqual({ text: '2\n', exitCode: 0 });
  expect(await run('echo a   b')).toEqual({ text: 'a b\n', exitCode: 0 });
  expect(await run('cat', 'x', 'y')).toEqual({ text: 'xy', exitCode: 0 });
  expect(await run('exit 300')).toEqual({ text: '', exitCode: 44 });
  expect(await run('sha256sum', 'abc')).toEqual({
    text: 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad  -\n',
    exitCode: 0,
  });
  await expect(run('constructor')).rejects.toMatchObject({ exitCode: 127 });
  await expect(run('cat missing')).rejects.toMatchObject({ exitCode: 1 });
  await expect(run('exit x')).rejects.toMatchObject({ exitCode: 2 });
});

test('a file is what was written to it, up to the size of the disk', async () => {
  const system = guest();
  const run = (line: string, ...stdin: (string | Buffer)[]) =>
    ran((session) => runLine(line, session), stdin, system);
  await run("cat > 'a file'", 'one', 'two');
  expect(await run("cat 'a file'")).toMatchObject({ text: 'onetwo' });
  const much = run('cat > much', Buffer.alloc(1024 * 1024), 'x');
  await expect(much).rejects.toThrow('No space left on device');
  expect(await system.readFile('much')).toBeUndefined();
});

test('a script on standard input runs line by line and ends with the last exit code', async () => {
  const script = ['echo one\nmiss', 'ing\necho two\nfalse\n'];
  expect(await ran((session) => interact(session, false), script)).toEqual({
    text: 'one\nsh: missing: not found\ntwo\n',
    exitCode: 1,
  });
});

test('a terminal shows what is typed, and can be left', async () => {
  const shell = (...stdin: string[]) => ran((session) => interact(session, true), stdin);
  const { text, exitCode } = await shell(
    ...['ech', 'p\x7fo hi\r', 'rubbish\x03', 'exit 3\r', 'echo never\r'],
  );
  const prompt = 'golem@web:~$ ';
  expect(text).toBe(`${prompt}echp\b \bo hi\r\nhi\r\n${prompt}rubbish^C\r\n${prompt}exit 3\r\n`);
  expect(exitCode).toBe(3);
  expect(await shell('\x04')).toEqual({ text: prompt, exitCode: 0 });
});

test('a guest can turn itself off', async () => {
  const system = guest();
  await ran((session) => runLine('poweroff', session), [], system);
  expect(system.off).toBe(true);
});
