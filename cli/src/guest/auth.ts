/** With which keys somebody goes into a guest: a file, a file with a passphrase, or ssh-agent. */
import { readFile } from 'node:fs/promises';
import { GolemError } from '@vm-on-golem/shared/errors';
import ssh2, { type ParsedKey } from 'ssh2';
import { GUEST_LIMITS } from './limits.ts';

export interface KeyRequest {
  /** Private key file. It need not be there when ssh-agent has the key. */
  readonly file: string;
  /** `SSH_AUTH_SOCK`. */
  readonly agent?: string | undefined;
  /** Asks for a passphrase. @returns undefined where nobody can be asked */
  readonly ask: (question: string) => Promise<string | undefined>;
}

/** What the guest is offered, one after the other. */
export type Offered =
  | { readonly kind: 'key'; readonly key: ParsedKey }
  | { readonly kind: 'agent'; readonly agent: ssh2.BaseAgent };

/**
 * A file that has a passphrase is left to an agent that holds the same key.
 * @throws {GolemError} `invalid_request` for a file that is no key, `not_found` when there is neither file
 *   nor agent, `needs_input` when a passphrase has to be asked for and nobody can be, `forbidden` when it
 *   was wrong each time
 */
export async function offeredKeys({ file, agent, ask }: KeyRequest): Promise<readonly Offered[]> {
  const text = await readIfFile(file);
  const agentKeys = agent === undefined ? undefined : await agentWith(agent, file);
  if (text === undefined) {
    if (agentKeys) return [agentKeys];
    throw new GolemError('not_found', `There is no SSH key ${file}.`, {
      hint: 'Put it back, or add it to ssh-agent and set SSH_AUTH_SOCK.',
    });
  }
  const parsed = ssh2.utils.parseKey(text);
  if (!(parsed instanceof Error)) {
    const key: Offered = { kind: 'key', key: privateKey(parsed, file) };
    return agentKeys ? [key, agentKeys] : [key];
  }
  if (!isEncrypted(parsed)) throw damaged(file, parsed);
  // The agent holds it open: its owner is not asked for what was typed already.
  if (agentKeys) return [agentKeys];
  return [{ kind: 'key', key: await decrypted(text, file, ask) }];
}

async function decrypted(text: string, file: string, ask: KeyRequest['ask']): Promise<ParsedKey> {
  for (let tries = 0; tries < GUEST_LIMITS.passphraseTries; tries += 1) {
    const passphrase = await ask(`Passphrase of ${file}: `);
    if (passphrase === undefined) {
      throw new GolemError('needs_input', `The SSH key ${file} has a passphrase.`, {
        hint: `Add it to ssh-agent with 'ssh-add ${file}', or run this on a terminal.`,
      });
    }
    const parsed = ssh2.utils.parseKey(text, passphrase);
    if (!(parsed instanceof Error)) return privateKey(parsed, file);
    if (!/passphrase|decrypt/i.test(parsed.message)) throw damaged(file, parsed);
  }
  throw new GolemError('forbidden', `That is not the passphrase of ${file}.`);
}

function privateKey(parsed: ParsedKey | ParsedKey[], file: string): ParsedKey {
  const key = [parsed].flat()[0];
  if (key?.isPrivateKey()) return key;
  throw new GolemError('invalid_request', `${file} is a public key.`, {
    hint: 'Name the private one; it has no .pub at its end.',
  });
}

function isEncrypted(error: Error): boolean {
  return /encrypted/i.test(error.message) && /passphrase/i.test(error.message);
}

function damaged(file: string, cause: Error): GolemError {
  return new GolemError('invalid_request', `${file} is no SSH key that can be read.`, {
    hint: "It has to be one that 'ssh-keygen' writes.",
    cause,
  });
}

/** @returns the agent, offering the key of `file` alone; undefined when it does not hold that */
async function agentWith(socket: string, file: string): Promise<Offered | undefined> {
  const agent = ssh2.createAgent(socket);
  const held = await identities(agent);
  const wanted = await publicHalf(file);
  const keys = wanted
    ? held.filter((key) => key.getPublicSSH().equals(wanted.getPublicSSH()))
    : held;
  return keys.length === 0 ? undefined : { kind: 'agent', agent: new OneKey(agent, keys) };
}

/** Of the file beside it, or of the file itself where it says so without a passphrase. */
async function publicHalf(file: string): Promise<ParsedKey | undefined> {
  for (const candidate of file.endsWith('.pub') ? [file] : [`${file}.pub`, file]) {
    const text = await readIfFile(candidate);
    if (text === undefined) continue;
    const parsed = ssh2.utils.parseKey(text);
    if (!(parsed instanceof Error)) return [parsed].flat()[0];
  }
  return undefined;
}

function identities(agent: ssh2.BaseAgent): Promise<ParsedKey[]> {
  return new Promise((resolve) => {
    agent.getIdentities((error, keys) => {
      // An agent that does not answer is no agent: the file may still do.
      if (error || !keys) return resolve([]);
      const parsed = keys.map((key) => (isParsed(key) ? key : parsedBlob(key)));
      resolve(parsed.filter((key) => key !== undefined));
    });
  });
}

function isParsed(key: unknown): key is ParsedKey {
  return typeof key === 'object' && key !== null && 'getPublicSSH' in key;
}

function parsedBlob(key: unknown): ParsedKey | undefined {
  if (typeof key !== 'string' && !Buffer.isBuffer(key)) return undefined;
  const parsed = ssh2.utils.parseKey(key);
  return parsed instanceof Error ? undefined : [parsed].flat()[0];
}

/** A guest lets in whoever offers the right key among the first few: the others are not shown to it. */
class OneKey extends ssh2.BaseAgent<ParsedKey> {
  readonly #agent: ssh2.BaseAgent;
  readonly #keys: ParsedKey[];

  constructor(agent: ssh2.BaseAgent, keys: ParsedKey[]) {
    super();
    this.#agent = agent;
    this.#keys = keys;
  }

  override getIdentities(callback: Parameters<ssh2.BaseAgent<ParsedKey>['getIdentities']>[0]) {
    callback(undefined, this.#keys);
  }

  override sign(...args: unknown[]): void {
    (this.#agent.sign as (...all: unknown[]) => void).apply(this.#agent, args);
  }
}

async function readIfFile(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === 'ENOENT') return undefined;
    throw new GolemError('forbidden', `The SSH key ${file} cannot be read: ${code}.`, { cause });
  }
}
