/** What real guests reach on each network, as seen from inside, and that they reach nothing else. */
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { SelfTestResult } from '../../agent/src/isolation/destinations.ts';
import { Lab, type RemoteHost } from './lab.ts';

const FORWARDING = ['/proc/sys/net/ipv4/ip_forward', '/proc/sys/net/ipv4/conf/e0/forwarding'];
const isRoot = process.getuid?.() === 0;
const images = process.env['GOLEM_IMAGE_CACHE'] ?? join(import.meta.dirname, '../../.cache/images');

let lab: Lab;
beforeAll(async () => {
  if (isRoot) lab = await Lab.open();
});
afterAll(() => lab?.[Symbol.asyncDispose]());

function show(title: string, { rows }: SelfTestResult): void {
  const width = Math.max(...rows.map(({ destination }) => destination.length));
  const lines = rows.map(
    ({ destination, what, expected, seen }) =>
      `${destination.padEnd(width)}  ${expected.padEnd(8)}  ${seen.padEnd(6)}  ${what}`,
  );
  console.log([title, `${'destination'.padEnd(width)}  expected  seen`, ...lines].join('\n'));
}

const seenOpen = ({ rows }: SelfTestResult) =>
  rows.filter(({ seen }) => seen === 'open').map(({ what }) => what);

// Network namespaces are root's to make.
describe.runIf(isRoot).each(['tap', 'pasta'] as const)('guests on %s', (backend) => {
  let host: RemoteHost;
  let vmId: string;
  let other: string;
  beforeAll(async () => {
    host = await lab.host(backend, images);
    vmId = await host.ask('launch');
    other = await host.ask('launch');
  });
  afterAll(async () => {
    for (const guest of await host.ask('list')) await host.ask('destroy', guest.vmId);
    await host.kill();
  });
  /** `open` when the guest gets a connection and an answer. */
  const reach = async (address: string, port: number) => {
    const line = `timeout 5 nc ${address} ${port} </dev/null | head -c 3 | grep -q . && echo open`;
    return (await host.ask('run', vmId, line)).trim() || 'closed';
  };
  const addressOf = async (guest: string) =>
    /inet ([\d.]+)/.exec(await host.ask('run', guest, 'ip -4 address show eth0'))?.[1] ?? '';
  const counted = async (counter: string) =>
    [...(await host.ask('rules', vmId)).matchAll(/counter (\w+) \{\s+packets (\d+)/g)]
      .filter(([, name]) => name?.endsWith(`_${counter}`))
      .reduce((sum, [, , packets]) => sum + Number(packets), 0);

  test('reach the Internet by address and by name, and nothing of the provider’s', async () => {
    const result = await host.ask('selfTest');
    show(backend, result);
    expect(result.rows.filter(({ expected, seen }) => expected !== seen)).toEqual([]);
    expect(result.passed).toBe(true);
    expect(new Set(seenOpen(result))).toEqual(new Set(['the Internet', 'a name server']));
    const closed = new Set(result.rows.map(({ what }) => what));
    for (const what of ['this machine', 'a router', 'the provider’s public address']) {
      expect(closed).toContain(what);
    }
    // In a namespace of its own there is nobody else.
    expect(closed.has('another guest')).toBe(backend === 'tap');
  });

  test('do not reach each other', async () => {
    const [mine, theirs] = [await addressOf(vmId), await addressOf(other)];
    expect(await host.ask('run', vmId, 'nc 127.0.0.1 22 </dev/null | head -c 3')).toBe('SSH');
    if (backend === 'tap') expect(theirs).not.toBe(mine);
    else expect(theirs).toBe(mine);
    if (theirs !== mine) expect(await reach(theirs, 22)).toBe('closed');
  });

  test('are not believed another sender, and speak no IPv6', async () => {
    const before = await counted('spoofed');
    const spoof = [
      'ip address add 198.51.100.77/32 dev eth0',
      'ping -c 1 -W 1 -I 198.51.100.77 198.51.100.2 >/dev/null 2>&1 && echo answered',
      'ip address del 198.51.100.77/32 dev eth0',
    ];
    expect(await host.ask('run', vmId, spoof.join('; '))).toBe('');
    // QEMU's user network opens connections of its own: there, no sender comes out at all.
    if (backend === 'tap') expect(await counted('spoofed')).toBeGreaterThan(before);
    const everybody =
      'ping -6 -c 1 -W 1 -I eth0 ff02::1 2>&1 | grep -v ": seq=0 .*DUP" | grep "bytes from" | wc -l';
    expect(Number(await host.ask('run', vmId, everybody))).toBeLessThanOrEqual(1);
  });

  test('are not reached from the LAN, and take no port of the machine', async () => {
    const address = await addressOf(vmId);
    const { router } = lab.network.on;
    const [first = '', ...rest] = router;
    execFileSync(first, [...rest, 'ip', 'route', 'add', `${address}/32`, 'via', '192.168.77.10']);
    expect(lab.reaches(router, address, 22)).toBe(false);
    execFileSync(first, [...rest, 'ip', 'route', 'delete', `${address}/32`]);
    const listening = lab.onProvider('ss', '--listening', '--tcp', '--numeric', '--no-header');
    expect(listening.trim().split('\n')).toHaveLength(1);
    expect(await host.ask('banner', vmId)).toMatch(/^SSH-2\.0/);
  });

  test('are counted, and capped in both directions', async () => {
    // Both directions stay open: the pasta of Debian 12 hardly sends to whoever has closed one.
    const load =
      'rm -f /tmp/open; mkfifo /tmp/open; timeout 60 nc 198.51.100.2 81 <>/tmp/open | wc -c';
    const mebibytes4 = String(4 * 1024 * 1024);
    const before = await host.ask('traffic', vmId);
    expect((await host.ask('run', vmId, load)).trim()).toBe(mebibytes4);
    const after = await host.ask('traffic', vmId);
    const received = (after?.receivedBytes ?? 0) - (before?.receivedBytes ?? 0);
    expect(received).toBeGreaterThan(4 * 1024 * 1024);
    expect(received).toBeLessThan(6 * 1024 * 1024);
    expect(after?.sentBytes).toBeGreaterThan(before?.sentBytes ?? 0);
    expect(await counted('capped')).toBe(0);

    await host.ask('limit', vmId, 8_000_000);
    expect((await host.ask('rules', vmId)).match(/rate over 1000000 bytes/g)).toHaveLength(2);
    expect((await host.ask('run', vmId, load)).trim()).toBe(mebibytes4);
    const capped = await counted('capped');
    expect(capped).toBeGreaterThan(0);
    // What goes through SSH is no way around it.
    const shown = await host.ask('run', vmId, 'head -c 2000000 /dev/zero | tr "\\0" x');
    expect(shown).toHaveLength(2_000_000);
    expect(await counted('capped')).toBeGreaterThan(capped);
    expect((await host.ask('traffic', vmId))?.receivedBytes).toBeGreaterThan(
      after?.receivedBytes ?? 0,
    );
  });

  test('make no router of the machine that they need to forward', async () => {
    const forwards = lab
      .onProvider('cat', ...FORWARDING)
      .trim()
      .split('\n');
    expect(forwards).toEqual(['0', backend === 'tap' ? '1' : '0']);
    const rules = await host.ask('rules', vmId);
    const only = 'meta nfproto ipv4 iifname != "golem*" oifname != "golem*" drop';
    expect(rules.includes(only)).toBe(backend === 'tap');
    expect(rules).toMatch(/add @guests \{ ip saddr ct count over 4096 \} drop/);
  });

  test('lose what becomes the provider’s own', async () => {
    expect(await reach('198.51.100.2', 81)).toBe('open');
    await host.ask('refresh', ['198.51.100.2']);
    expect(await reach('198.51.100.2', 81)).toBe('closed');
    await host.ask('refresh', []);
    expect(await reach('198.51.100.2', 81)).toBe('open');
  });

  test('keep their rules without an agent, and are adopted with their counters by the next', async () => {
    const before = await host.ask('traffic', vmId);
    await host.kill();
    host = await lab.host(backend, images);
    const states = (await host.ask('list')).map(({ state }) => state);
    expect(states).toEqual(['running', 'running']);
    expect(await host.ask('banner', vmId)).toMatch(/^SSH-2\.0/);
    const rules = await host.ask('rules', vmId);
    expect(rules).toContain('@closed goto refuse');
    expect(rules.match(/rate over 1000000 bytes/g)).toHaveLength(2);
    const after = await host.ask('traffic', vmId);
    expect(after?.receivedBytes).toBeGreaterThanOrEqual(before?.receivedBytes ?? NaN);
  });

  test('leave nothing behind', async () => {
    for (const guest of [vmId, other]) await host.ask('destroy', guest);
    expect(lab.onProvider('ip', '-brief', 'link')).not.toContain('golem');
    expect(lab.onProvider('nft', 'list', 'tables')).not.toContain('golem');
    expect(
      lab
        .onProvider('cat', ...FORWARDING)
        .trim()
        .split('\n'),
    ).toEqual(['0', '0']);
    const folder = join(lab.dir, backend, 'network');
    expect(readdirSync(folder).filter((name) => name.startsWith('vm_'))).toEqual([]);
    const named = readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name) && existsSync(`/proc/${name}/cmdline`))
      .map((pid) => readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' '))
      .filter((line) => line.includes(`${lab.dir}/${backend}/`) && !line.includes('host.ts'));
    expect(named).toEqual([]);
  });
});

test.runIf(isRoot)('QEMU’s own network is seen to let guests in everywhere', async () => {
  const host = await lab.host('none', images);
  const result = await host.ask('selfTest');
  show('none', result);
  await host.kill();
  expect(result.passed).toBe(false);
  const wrong = result.rows.filter(
    ({ expected, seen }) => expected === 'closed' && seen === 'open',
  );
  expect(new Set(wrong.map(({ what }) => what))).toEqual(
    new Set([
      'mail to anybody',
      'this machine',
      'this machine’s loopback',
      'a router',
      'the provider’s public address',
    ]),
  );
});
