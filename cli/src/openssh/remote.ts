/** One command in a guest, by the system's OpenSSH, that nobody watches. */
import { spawn } from 'node:child_process';
import { EXIT, GolemError } from '@vm-on-golem/shared/errors';
import { sshOptions, type SshTarget } from './options.ts';

/** A guest that answers does so within seconds, also through a slow relay. */
const CONNECT_SECONDS = 30;
/** All of it. A guest that others are in as well may never be done. */
const TOTAL_MILLIS = 60_000;
/** Kept of what ssh, and the guest, have to say, and shown of it. */
const MAX_BYTES = 4096;
const MAX_WORDS = 500;

/**
 * @param input what the command reads
 * @param millis how long it may take
 * @throws {GolemError} `relay_failed` when the guest does not answer, or is not done in time, `internal`
 *   when the command fails
 */
export async function runRemote(
  target: SshTarget,
  command: string,
  input: string,
  signal: AbortSignal,
  millis = TOTAL_MILLIS,
): Promise<void> {
  const words = [
    ...sshOptions(target),
    ['BatchMode', 'yes'],
    ['ConnectTimeout', String(CONNECT_SECONDS)],
    ['LogLevel', 'ERROR'],
  ].flatMap(([name, value]) => ['-o', `${name}=${value}`]);
  const late = AbortSignal.timeout(millis);
  const child = spawn('ssh', [...words, '--', target.vm.id, command], {
    stdio: ['pipe', 'ignore', 'pipe'],
    signal: AbortSignal.any([signal, late]),
  });
  const ended = new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve(code ?? EXIT.transport));
  });
  // A guest that hangs up before it has read everything says so by its exit code.
  child.stdin.on('error', () => undefined);
  child.stdin.end(input);
  let said = Buffer.alloc(0);
  child.stderr.on('data', (chunk: Buffer) => {
    said = Buffer.concat([said, chunk]).subarray(-MAX_BYTES);
  });
  try {
    const code = await ended;
    if (code === 0) return;
    const words = said.toString().trim().slice(-MAX_WORDS) || `ssh ended with ${code}`;
    const error = code === EXIT.transport ? 'relay_failed' : 'internal';
    throw new GolemError(error, words);
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    if (error instanceof GolemError) throw error;
    if (late.aborted) {
      throw new GolemError('relay_failed', `It did not end within ${millis / 1000} s.`);
    }
    throw new GolemError('relay_failed', 'There is no OpenSSH client here.', {
      hint: 'Install openssh-client.',
      cause: error,
    });
  } finally {
    // What ssh has started may hold it open for longer.
    child.stderr.destroy();
  }
}
