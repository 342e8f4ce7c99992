/** Bytes from a publisher: bounded in size, in redirects and in silence. */
import { createHash, randomBytes } from 'node:crypto';
import { open, rename, rm } from 'node:fs/promises';
import { GolemError } from '@vm-on-golem/shared/errors';
import type { AGENT_LIMITS } from '../limits.ts';
import type { Digest } from './digest.ts';
import { stopped } from './sharing.ts';

export type DownloadBounds = { readonly [K in keyof typeof AGENT_LIMITS.images]: number };

/** How an unfinished file is called until it is whole. */
export const PART_SUFFIX = '.part';

const MIB = 1024 * 1024;

/**
 * Fetches a file to `path`, which appears whole and with the right bytes, or not at all.
 * @param expect called before the first byte with how many are to come; what it throws ends it
 * @throws {GolemError} `launch_failed` saying what is wrong
 * @throws {DriverError} `aborted` | `timeout`
 */
export async function download(
  url: string,
  path: string,
  digest: Digest,
  bounds: DownloadBounds,
  signal: AbortSignal,
  expect: (bytes: number) => Promise<void> = async () => undefined,
): Promise<void> {
  const part = `${path}.${randomBytes(6).toString('hex')}${PART_SUFFIX}`;
  const hash = createHash(digest.algorithm);
  try {
    {
      await using file = await open(part, 'wx');
      for await (const chunk of fetchBytes(url, bounds.fileBytes, bounds, signal, expect)) {
        hash.update(chunk);
        await file.appendFile(chunk);
      }
      await file.sync();
    }
    if (hash.digest('hex') !== digest.hex) {
      throw new GolemError(
        'launch_failed',
        `The image from ${new URL(url).host} is not the one in its publisher's list of checksums.`,
        { hint: 'The publisher may be replacing it at this moment; try again in a while.' },
      );
    }
    await rename(part, path);
  } catch (error) {
    await rm(part, { force: true });
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
    throw new GolemError('launch_failed', 'The provider has no room on its disk for the image.', {
      cause: error,
    });
  }
}

/** Fetches a short text. Throws as `download` does. */
export async function fetchText(
  url: string,
  maxBytes: number,
  bounds: DownloadBounds,
  signal: AbortSignal,
): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of fetchBytes(url, maxBytes, bounds, signal)) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}

async function* fetchBytes(
  url: string,
  maxBytes: number,
  bounds: DownloadBounds,
  signal: AbortSignal,
  expect?: (bytes: number) => Promise<void>,
): AsyncGenerator<Uint8Array> {
  const { host } = new URL(url);
  const stall = new AbortController();
  const timer = setTimeout(() => stall.abort(), bounds.stallMillis);
  const tooLarge = () =>
    failure(`The file from ${host} is larger than ${Math.ceil(maxBytes / MIB)} MiB.`);
  let answered = false;
  try {
    const either = AbortSignal.any([signal, stall.signal]);
    const response = await follow(new URL(url), bounds.redirects, either);
    answered = true;
    const length = Number(response.headers.get('content-length') ?? 0);
    if (length > maxBytes) throw tooLarge();
    await expect?.(length);
    let received = 0;
    for await (const chunk of response.body ?? []) {
      timer.refresh();
      received += chunk.length;
      if (received > maxBytes) throw tooLarge();
      yield chunk;
    }
  } catch (error) {
    if (signal.aborted) throw stopped(signal);
    if (error instanceof GolemError) throw error;
    if (stall.signal.aborted) throw failure(`Nothing more came from ${host}.`, error);
    throw failure(
      answered ? `The download from ${host} broke off.` : `${host} cannot be reached.`,
      error,
    );
  } finally {
    clearTimeout(timer);
    stall.abort();
  }
}

async function follow(url: URL, redirects: number, signal: AbortSignal): Promise<Response> {
  if (!isTrusted(url)) throw failure(`Images come over https alone, not from ${url.origin}.`);
  const response = await fetch(url, {
    redirect: 'manual',
    signal,
    // What is hashed is the file, not a compressed form of it.
    headers: { 'accept-encoding': 'identity' },
  });
  if (response.ok) return response;
  await response.body?.cancel();
  const location = response.headers.get('location');
  if (response.status < 300 || response.status > 399 || location === null) {
    throw failure(`${url.host} answered ${response.status} for ${url.pathname}.`);
  }
  if (redirects === 0) throw failure(`${url.host} sends on and on.`);
  const next = URL.parse(location, url);
  if (!next || (url.protocol === 'https:' && next.protocol !== 'https:')) {
    throw failure(`${url.host} sends on to an address that is not https.`);
  }
  return follow(next, redirects - 1, signal);
}

/** Nobody can put himself between this machine and itself. */
function isTrusted({ protocol, hostname }: URL): boolean {
  if (protocol === 'https:') return true;
  return protocol === 'http:' && ['127.0.0.1', '[::1]', 'localhost'].includes(hostname);
}

function failure(why: string, cause?: unknown): GolemError {
  return new GolemError('launch_failed', `The image could not be fetched. ${why}`, { cause });
}
