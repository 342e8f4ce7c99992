/** Where a request comes from, as far as somebody trustworthy says so. */
import type { Settings } from '../env.ts';
import { isWithin, parseAddress } from './address.ts';

export interface Origin {
  /** IP address, or `unknown`. */
  readonly address: string;
  /** ISO 3166, or `unknown`. */
  readonly country: string;
  readonly asn: number | null;
}

type Seen = Pick<Request, 'headers' | 'cf'>;

export function originOf(request: Seen, settings: Settings): Origin {
  return settings.EDGE === 'cloudflare' ? behindCloudflare(request) : direct(request, settings);
}

/** Cloudflare replaces whatever a client sends in this header. */
function behindCloudflare({ headers, cf }: Seen): Origin {
  const { country, asn } = cf ?? {};
  return {
    address: headers.get('cf-connecting-ip') ?? 'unknown',
    // XX is Cloudflare's own word for unknown, and T1 (Tor) is no country.
    country:
      typeof country === 'string' && /^[A-Z]{2}$/.test(country) && country !== 'XX'
        ? country
        : 'unknown',
    asn: typeof asn === 'number' && Number.isInteger(asn) ? asn : null,
  };
}

/** workerd itself listens and names the peer of the socket; only a trusted proxy may name another. */
function direct({ headers, cf }: Seen, { COUNTRY, TRUSTED_PROXIES }: Settings): Origin {
  const peer = peerOf(cf?.['clientIp']);
  const trusted = (text: string) => {
    const address = parseAddress(text);
    return address !== undefined && TRUSTED_PROXIES.some((block) => isWithin(address, block));
  };
  let address = peer;
  // From the nearest hop outwards, for as long as the one that speaks is trusted.
  const hops = (headers.get('x-forwarded-for') ?? '').split(',').reverse();
  for (const hop of hops.map((text) => text.trim())) {
    if (!trusted(address) || !parseAddress(hop)) break;
    address = hop;
  }
  return { address, country: COUNTRY, asn: null };
}

/** `1.2.3.4:567` or `[2001:db8::1]:567`. */
function peerOf(clientIp: unknown): string {
  if (typeof clientIp !== 'string') return 'unknown';
  const match = /^\[(.+)\]:\d+$/.exec(clientIp) ?? /^([^:]+):\d+$/.exec(clientIp);
  return match?.[1] ?? clientIp;
}
