/** One command in a guest, by the system's OpenSSH, that nobody watches. */
import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { EXIT, GolemError } from '@vm-on-golem/shared/errors';
import { sshOptions, type SshTarget } from './options.ts';

/** A guest that answers does so within seconds, also through a slow relay. */
const CONNECT_SECONDS = 30;
/** Of what ssh has to say. */
const MAX_WORDS = 500;

/**
 * @param input what the command reads
 * @throws {GolemError} `relay_failed` when the guest does not answer, `internal` when the command fails
 */
export async function runRemote(
  target: SshTarget,
  command: string,
  input: string,
  signal: AbortSignal,
): Promise<void> {
  const words = [
    ...sshOptions(target),
    ['BatchMode', 'yes'],
    ['ConnectTimeout', String(CONNECT_SECONDS)],
    ['LogLevel', 'ERROR'],
  ].flatMap(([name, value]) => ['-o', `${name}=${value}`]);
  const child = spawn('ssh', [...words, '--', target.vm.id, command], {
    stdio: ['pipe', 'ignore', 'pipe'],
    signal,
  });
  const ended = new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve(code ?? EXIT.transport));
  });
  // A guest that hangs up before it has read everything says so by its exit code.
  child.stdin.on('error', () => undefined);
  child.stdin.end(input);
  try {
    const [code, said] = await Promise.all([ended, text(child.stderr)]);
    if (code === 0) return;
    const words = said.trim().slice(-MAX_WORDS) || `ssh ended with ${code}`;
    const error = code === EXIT.transport ? 'relay_failed' : 'internal';
    throw new GolemError(error, words);
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    if (error instanceof GolemError) throw error;
    throw new GolemError('relay_failed', 'There is no OpenSSH client here.', {
      hint: 'Install openssh-client.',
      cause: error,
    });
  }
}
