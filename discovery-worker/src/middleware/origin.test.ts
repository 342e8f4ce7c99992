import { describe, expect, it } from 'vitest';
import type { Settings } from '../env.ts';
import { originOf } from './origin.ts';

const settings: Settings = {
  HUB_SHARDS: 1,
  EDGE: 'direct',
  COUNTRY: 'unknown',
  TRUSTED_PROXIES: [],
  RELAY_MODE: 'hibernating',
  RELAY_SESSION_BYTES: 1,
  RELAY_SESSION_SECONDS: 1,
  RELAY_GRACE_SECONDS: 1,
  CORS_ORIGINS: [],
  RATES: {},
};
const request = (headers: Record<string, string>, cf: Record<string, unknown> = {}) => {
  const made = new Request('https://discovery.test/', { headers });
  return { headers: made.headers, cf };
};

describe('where a request comes from', () => {
  it('is what Cloudflare says, behind Cloudflare', () => {
    const edge: Settings = { ...settings, EDGE: 'cloudflare' };
    const headers = { 'cf-connecting-ip': '203.0.113.9', 'x-forwarded-for': '1.2.3.4' };
    expect(originOf(request(headers, { country: 'DE', asn: 64500 }), edge)).toEqual({
      address: '203.0.113.9',
      country: 'DE',
      asn: 64500,
    });
    for (const country of ['XX', 'T1', undefined]) {
      expect(originOf(request({}, { country }), edge)).toEqual({
        address: 'unknown',
        country: 'unknown',
        asn: null,
      });
    }
  });

  it('is the peer of the socket without an edge, whatever headers say', () => {
    const headers = { 'cf-connecting-ip': '1.2.3.4', 'x-forwarded-for': '1.2.3.4' };
    const seen = (clientIp: string) =>
      originOf(request(headers, { clientIp, country: 'US', asn: 1 }), settings);
    expect(seen('192.0.2.1:5000')).toEqual({ address: '192.0.2.1', country: 'unknown', asn: null });
    expect(seen('[2001:db8::1]:5000').address).toBe('2001:db8::1');
  });

  it('is the first hop that no trusted proxy stands behind', () => {
    const proxied: Settings = { ...settings, TRUSTED_PROXIES: ['192.0.2.0/24', '::1'] };
    const seen = (forwarded: string, clientIp = '192.0.2.1:5000') =>
      originOf(request({ 'x-forwarded-for': forwarded }, { clientIp }), proxied).address;
    expect(seen('203.0.113.9')).toBe('203.0.113.9');
    expect(seen('1.1.1.1, 203.0.113.9, 192.0.2.7')).toBe('203.0.113.9');
    expect(seen('192.0.2.8')).toBe('192.0.2.8');
    expect(seen('forged, 192.0.2.7')).toBe('192.0.2.7');
    expect(seen('')).toBe('192.0.2.1');
    expect(seen('203.0.113.9', '198.51.100.1:5000')).toBe('198.51.100.1');
  });
});
