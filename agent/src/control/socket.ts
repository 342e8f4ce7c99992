/**
 * The socket that a running agent listens at for its own operator. Only the user that the agent runs
 * as can open it: it has mode 0600 before anybody can see it, as it is made in a private folder and
 * moved to its place.
 */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { chmod, mkdtemp, rename, rm } from 'node:fs/promises';
import { createServer, type RequestListener, type Server } from 'node:http';
import { join } from 'node:path';
import { GolemError } from '@vm-on-golem/shared/errors';
import { AGENT_LIMITS } from '../limits.ts';

const NAME = 'control.sock';

/**
 * Windows has no folders for sockets: there it is a named pipe, whose name tells agents of several
 * folders apart, and which Windows lets nobody write to but its user and administrators.
 * @throws {GolemError} `usage` when the path is too long for a socket
 */
export function controlPath(dataDir: string, platform = process.platform): string {
  if (platform === 'win32') {
    const digest = createHash('sha256').update(dataDir.toLowerCase()).digest('hex');
    return `\\\\.\\pipe\\golem-provider-${digest.slice(0, 16)}`;
  }
  const path = join(dataDir, NAME);
  const { socketPathBytes } = AGENT_LIMITS.control;
  if (Buffer.byteLength(path) > socketPathBytes) {
    throw new GolemError('usage', `The path ${path} is too long for a socket.`, {
      hint: `Choose a --data-dir of at most ${socketPathBytes - NAME.length - 1} bytes.`,
    });
  }
  return path;
}

/**
 * Whoever calls this is the only agent of the folder: a socket that is there was left by a dead one,
 * and is replaced.
 */
export async function listenForOperator(
  dataDir: string,
  listener: RequestListener,
): Promise<AsyncDisposable> {
  const path = controlPath(dataDir);
  const { headersTimeoutMillis } = AGENT_LIMITS.control;
  const server = createServer({ headersTimeout: headersTimeoutMillis }, listener);
  if (process.platform === 'win32') {
    await listen(server, path);
    return { [Symbol.asyncDispose]: () => close(server) };
  }
  // Its name is no longer than that of the socket, so that the path is none too long either.
  const birthplace = await mkdtemp(join(dataDir, '.c'));
  try {
    const born = join(birthplace, 's');
    await listen(server, born);
    await chmod(born, 0o600);
    await rename(born, path);
  } catch (error) {
    await close(server);
    throw error;
  } finally {
    await rm(birthplace, { recursive: true, force: true });
  }
  return {
    [Symbol.asyncDispose]: async () => {
      await rm(path, { force: true });
      await close(server);
    },
  };
}

async function listen(server: Server, path: string): Promise<void> {
  server.listen(path);
  await once(server, 'listening');
}

async function close(server: Server): Promise<void> {
  if (!server.listening) return;
  server.close();
  server.closeAllConnections();
  await once(server, 'close');
}
