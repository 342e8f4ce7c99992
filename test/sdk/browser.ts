/**
 * `fetch` as a page of another origin has it: asks first where the standard says so, sees only what
 * the answer exposes, and gets no redirect and no iterable body.
 */

/** https://fetch.spec.whatwg.org/#cors-safelisted-request-header, as far as we send them. */
const SAFE_HEADERS = new Set(['accept']);
/** https://fetch.spec.whatwg.org/#cors-safelisted-response-header-name */
const READABLE = ['cache-control', 'content-language', 'content-length', 'content-type', 'expires'];

export function fetchOf(origin: string): typeof fetch {
  return async (input, init = {}) => {
    const url = new URL(input instanceof Request ? input.url : input);
    const method = init.method ?? 'GET';
    const headers = new Headers(init.headers);
    const unsafe = [...headers.keys()].filter((name) => !SAFE_HEADERS.has(name)).sort();
    if (unsafe.length > 0 || !['GET', 'HEAD', 'POST'].includes(method)) {
      await preflight(url, origin, method, unsafe);
    }
    headers.set('origin', origin);
    const answer = await fetch(url, { ...init, headers });
    checkOrigin(answer, origin);
    const exposed = [...READABLE, ...listOf(answer, 'access-control-expose-headers')];
    const seen = [...answer.headers].filter(([name]) => exposed.includes(name));
    return withoutIterator(new Response(answer.body, { status: answer.status, headers: seen }));
  };
}

async function preflight(url: URL, origin: string, method: string, unsafe: string[]) {
  const answer = await fetch(url, {
    method: 'OPTIONS',
    headers: {
      origin,
      'access-control-request-method': method,
      ...(unsafe.length > 0 ? { 'access-control-request-headers': unsafe.join(',') } : {}),
    },
  });
  if (!answer.ok) throw new TypeError(`the preflight ended with ${answer.status}`);
  checkOrigin(answer, origin);
  const allowed = listOf(answer, 'access-control-allow-headers');
  const refused = unsafe.filter((name) => !allowed.includes(name));
  if (refused.length > 0) throw new TypeError(`not allowed: ${refused.join(', ')}`);
  const methods = listOf(answer, 'access-control-allow-methods');
  if (method === 'DELETE' && !methods.includes('delete')) throw new TypeError('DELETE not allowed');
}

function checkOrigin({ headers }: Response, origin: string): void {
  const allowed = headers.get('access-control-allow-origin');
  if (allowed !== '*' && allowed !== origin) throw new TypeError(`${origin} is not let in`);
}

function listOf({ headers }: Response, name: string): string[] {
  return (headers.get(name) ?? '').split(',').map((word) => word.trim().toLowerCase());
}

/** Safari's streams cannot be iterated over. */
function withoutIterator(response: Response): Response {
  if (response.body)
    Object.defineProperty(response.body, Symbol.asyncIterator, { value: undefined });
  return response;
}
