/**
 * WebSocket upgrades on their way from the worker to an object. The worker makes the request anew:
 * nothing of the inbound one is in it, so nobody outside can stamp anything.
 */
const STAMP = 'golem-stamp';

/** @param stamp what the worker has verified, as JSON. */
export function stampedUpgrade(path: string, stamp: unknown, protocol?: string): Request {
  const headers = new Headers({ upgrade: 'websocket', [STAMP]: JSON.stringify(stamp) });
  if (protocol !== undefined) headers.set('sec-websocket-protocol', protocol);
  return new Request(`https://object${path}`, { headers });
}

/** Only for requests that came by `stampedUpgrade`: the caller knows what its worker stamps. */
export function readStamp(request: Request): unknown {
  return JSON.parse(request.headers.get(STAMP) ?? 'null');
}

export function isUpgrade(request: Request): boolean {
  return request.method === 'GET' && request.headers.get('upgrade')?.toLowerCase() === 'websocket';
}

/** The answer that opens the client's end of a pair. */
export function switchingProtocols(client: WebSocket, headers: Record<string, string>): Response {
  return new Response(null, { status: 101, webSocket: client, headers });
}
