/** Rules around a bridge of another program's guests, which are taken back when they are not wanted. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const bridge = join(import.meta.dirname, '../../agent/src/drivers/qemu/network/bridge.ts');
const SETUP = [
  'mount -t sysfs sysfs /sys',
  'ip link set lo up',
  'ip link add golembr0 type bridge',
  'ip address add 10.99.0.1/24 dev golembr0',
  'ip link add port0 type veth peer name port1',
  'ip link set port0 master golembr0',
  'ip link set golembr0 up',
].join(' && ');
const SCRIPT = `
  import { execFileSync } from 'node:child_process';
  import { isolateBridge, releaseBridge } from '${bridge}';
  const show = () => {
    const tables = execFileSync('nft', ['list', 'tables'], { encoding: 'utf8' });
    const ports = execFileSync('bridge', ['-d', 'link', 'show'], { encoding: 'utf8' });
    return { hasTable: tables.includes('golem_golembr0'), isolated: /isolated on/.test(ports) };
  };
  const seen = [await isolateBridge({ bridge: 'none0', resolvers: [], closed: [] })];
  await isolateBridge({ bridge: 'golembr0', resolvers: ['192.0.2.1'], closed: ['203.0.113.9'] });
  seen.push(show());
  await releaseBridge('golembr0');
  await releaseBridge('golembr0');
  await releaseBridge('none0');
  seen.push(show());
  console.log(JSON.stringify(seen));
`;

test.runIf(process.getuid?.() === 0)('rules around a bridge come, and go', () => {
  const node = [process.execPath, '--input-type=module', '--eval', SCRIPT];
  const program = 'unshare';
  const words = ['--net', '--mount', 'sh', '-c', `${SETUP} && exec "$@"`, 'sh', ...node];
  expect(JSON.parse(execFileSync(program, words, { encoding: 'utf8' }))).toEqual([
    false,
    { hasTable: true, isolated: true },
    { hasTable: false, isolated: false },
  ]);
});
