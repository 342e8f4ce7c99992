/** Whether there is a newer version. Nobody is asked unless a person has said whom. */
import { compareVersions, validate } from 'compare-versions';
import { GolemError } from '@vm-on-golem/shared/errors';

/** A notice is not worth waiting for any longer. */
const PATIENCE_MILLIS = 2_000;
/** What a registry says about one version of a package is a few KiB. */
const MAX_ANSWER_BYTES = 64 * 1024;

/**
 * @param source URL of JSON with a field `version`, such as a registry's `/PACKAGE/latest`
 * @returns undefined when there is none that is newer
 * @throws {GolemError} `unsupported` when that is not what the source says, or it says nothing
 */
export async function newerVersion(
  source: string,
  own: string,
  signal: AbortSignal,
): Promise<string | undefined> {
  try {
    const response = await fetch(source, {
      signal: AbortSignal.any([signal, AbortSignal.timeout(PATIENCE_MILLIS)]),
    });
    if (!response.ok) throw new TypeError(`status ${response.status}`);
    const version = versionIn(await textOf(response));
    return compareVersions(version, own) > 0 ? version : undefined;
  } catch (cause) {
    if (signal.aborted) throw signal.reason;
    throw new GolemError('unsupported', `${source} does not say which version is the newest.`, {
      hint: 'See GOLEM_UPDATE_URL.',
      cause,
    });
  }
}

async function textOf({ body }: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of body ?? []) {
    bytes += chunk.length;
    if (bytes > MAX_ANSWER_BYTES) throw new TypeError('the answer is too long');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

function versionIn(text: string): string {
  const answer: unknown = JSON.parse(text);
  const version =
    typeof answer === 'object' && answer !== null && 'version' in answer
      ? answer.version
      : undefined;
  if (typeof version !== 'string' || !validate(version)) throw new TypeError('no version in it');
  return version;
}
