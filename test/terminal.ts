/** A real terminal: tmux, with a server of its own, and what is on its screen. */
import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);
const PATIENCE_MILLIS = 30_000;
const POLL_MILLIS = 100;

export interface TerminalOptions {
  readonly rows: number;
  readonly columns: number;
  readonly env: Readonly<Record<string, string>>;
}

export class Terminal implements AsyncDisposable {
  readonly #server: string;

  private constructor(server: string) {
    this.#server = server;
  }

  /** Runs a shell, which stays when what it runs has ended. */
  static async open({ rows, columns, env }: TerminalOptions): Promise<Terminal> {
    const terminal = new Terminal(`golem-${randomUUID()}`);
    const variables = Object.entries({ ...env, PS1: '$ ' }).map(
      ([name, value]) => `${name}=${value}`,
    );
    await terminal.#tmux(
      ...['-f', '/dev/null', 'new-session', '-d', '-x', String(columns), '-y', String(rows)],
      ...['env', '-i', 'TERM=screen', 'LANG=C.UTF-8', ...variables, 'sh', '-i'],
    );
    return terminal;
  }

  /** Types `text`, and Enter. */
  async type(text: string): Promise<void> {
    await this.literal(text);
    await this.key('Enter');
  }

  /** Types `text`, and no Enter. */
  async literal(text: string): Promise<void> {
    if (text !== '') await this.#tmux('send-keys', '-l', text);
  }

  /** In tmux's names: `q`, `C-c`, `Enter`. */
  async key(name: string): Promise<void> {
    await this.#tmux('send-keys', name);
  }

  async resize(columns: number, rows: number): Promise<void> {
    await this.#tmux('resize-window', '-x', String(columns), '-y', String(rows));
  }

  /** What is to be seen, line by line, without what is empty to the right and below. */
  async screen(): Promise<string> {
    return (await this.#tmux('capture-pane', '-p')).replace(/\n+$/, '');
  }

  /** The same with its colours (SGR), and with what has left it at the top. */
  async picture(): Promise<string> {
    return (await this.#tmux('capture-pane', '-p', '-e', '-S', '-')).replace(/\n+$/, '');
  }

  /** Waits until the screen matches. @returns the screen */
  async shows(pattern: RegExp | string): Promise<string> {
    const deadline = performance.now() + PATIENCE_MILLIS;
    for (;;) {
      const seen = await this.screen();
      if (typeof pattern === 'string' ? seen.includes(pattern) : pattern.test(seen)) return seen;
      if (performance.now() > deadline) throw new Error(`${String(pattern)} is not on\n${seen}`);
      await sleep(POLL_MILLIS);
    }
  }

  async #tmux(...words: string[]): Promise<string> {
    return (await run('tmux', ['-L', this.#server, ...words])).stdout;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#tmux('kill-server');
  }
}
