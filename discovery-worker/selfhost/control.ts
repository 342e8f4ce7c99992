/** The way in for whoever runs the service, and nobody else: a socket in a folder of their own. */
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { request, type IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** What the kernel has room for in the address of a socket, with the zero at its end. */
const PATH_BYTES = 107;

export interface ControlFolder extends AsyncDisposable {
  readonly folder: string;
  readonly socket: string;
}

/** A new folder that only this user can enter. */
export async function createControlFolder(): Promise<ControlFolder> {
  const fits = Buffer.byteLength(socketIn(join(tmpdir(), `${PREFIX}XXXXXX`))) <= PATH_BYTES;
  const folder = await mkdtemp(join(fits ? tmpdir() : '/tmp', PREFIX));
  const remove = () => rm(folder, { recursive: true, force: true });
  return { folder, socket: socketIn(folder), [Symbol.asyncDispose]: remove };
}

const PREFIX = 'golem-control-';
const socketIn = (folder: string) => join(folder, 'control');

/**
 * Resolves when requests have been answered and agents been let go.
 * @throws when the service could not do so, or `signal` aborts
 */
export async function askToShutDown(socket: string, signal: AbortSignal): Promise<void> {
  const asked = request({ socketPath: socket, method: 'POST', path: '/', signal });
  asked.end();
  const [answer] = (await once(asked, 'response')) as [IncomingMessage];
  answer.resume();
  if (answer.statusCode !== 204) throw new Error(`it answered with ${answer.statusCode}`);
}
