import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { launchdPlist, systemdUnit, type ServiceSpec } from './definition.ts';

const spec: ServiceSpec = {
  command: [
    '/usr/bin/node',
    '/opt/golem/bin/golem-provider.js',
    'start',
    '--config',
    '/etc/g.toml',
  ],
  system: true,
  logFile: '/var/log/golem-provider.log',
  path: '/usr/bin:/bin',
};

/** What systemd would read. @throws on a line that is no part of a unit */
function parseUnit(text: string): Record<string, [key: string, value: string][]> {
  const sections: Record<string, [string, string][]> = {};
  let current: [string, string][] | undefined;
  for (const line of text.split('\n')) {
    if (line === '') continue;
    const section = /^\[([A-Z][a-z]+)\]$/.exec(line)?.[1];
    if (section !== undefined) {
      expect(sections).not.toHaveProperty(section);
      current = sections[section] = [];
      continue;
    }
    const [, key, value] = /^([A-Z][A-Za-z]+)=([^\n]+)$/.exec(line) ?? [];
    if (!current || key === undefined || value === undefined) throw new Error(`no unit: ${line}`);
    current.push([key, value]);
  }
  return sections;
}

/** As systemd splits a command line: quotes, backslashes, %% and $$. */
function words(line: string): string[] {
  const found: string[] = [];
  for (const [, quoted, bare] of line.matchAll(/"((?:[^"\\]|\\.)*)"|(\S+)/g)) {
    const unescaped = (quoted ?? bare ?? '').replaceAll(/\\(.)/g, (_, character: string) =>
      character === 'n' ? '\n' : character,
    );
    found.push(unescaped.replaceAll('%%', '%').replaceAll('$$', '$'));
  }
  return found;
}

const valueOf = (unit: string, section: string, name: string) =>
  (parseUnit(unit)[section] ?? []).flatMap(([key, value]) => (key === name ? [value] : []));

describe('the systemd unit', () => {
  test('starts the agent, restarts it, and leaves its guests alone', () => {
    const { Unit, Service, Install } = parseUnit(systemdUnit(spec));
    expect(Install).toEqual([['WantedBy', 'multi-user.target']]);
    expect(Object.fromEntries(Unit ?? [])).toMatchObject({ After: 'network-online.target' });
    expect(Object.fromEntries(Service ?? [])).toMatchObject({
      Type: 'notify',
      NotifyAccess: 'main',
      ExecStart: spec.command.join(' '),
      Restart: 'always',
      RestartPreventExitStatus: '0 2',
      KillMode: 'process',
      Delegate: 'yes',
      OOMPolicy: 'continue',
      WatchdogSec: '2min',
      NoNewPrivileges: 'yes',
    });
  });

  test('gives guests nothing that would hold them, and QEMU all that it needs', () => {
    const keys = parseUnit(systemdUnit(spec))['Service']?.map(([key]) => key) ?? [];
    // A file system of its own, no code that is written and run, no namespaces, no devices.
    for (const key of keys) {
      expect(key).not.toMatch(
        /^(?:Private|Protect|MemoryDeny|RestrictNamespaces|Device|Bind|Root)/,
      );
    }
    expect(new Set(keys).size).toBe(keys.length);
  });

  test('of a user needs no power and waits for no network', () => {
    const unit = systemdUnit({ ...spec, system: false });
    expect(valueOf(unit, 'Install', 'WantedBy')).toEqual(['default.target']);
    expect(valueOf(unit, 'Service', 'NotifyAccess')).toEqual(['all']);
    expect(valueOf(unit, 'Service', 'CapabilityBoundingSet')).toEqual([]);
    expect(valueOf(unit, 'Unit', 'After')).toEqual([]);
  });

  test('says every word of the command as it is, whatever is in it', () => {
    const word = fc
      .string({ minLength: 1, unit: 'grapheme' })
      .filter((text) => !/[\0\r]/.test(text));
    fc.assert(
      fc.property(fc.array(word, { minLength: 1 }), word, (command, path) => {
        const unit = systemdUnit({ ...spec, command, path });
        expect(words(valueOf(unit, 'Service', 'ExecStart')[0] ?? '')).toEqual(command);
        expect(words(valueOf(unit, 'Service', 'Environment')[0] ?? '')).toEqual([`PATH=${path}`]);
      }),
    );
  });

  test.each([true, false])('is valid for systemd itself, of the system: %s', (system) => {
    const dir = mkdtempSync(join(tmpdir(), 'unit '));
    try {
      // A program that is there, below a path with a space and a per cent.
      const command = [process.execPath, join(dir, '50% "of" it'), 'start'];
      const file = join(dir, 'golem-provider.service');
      writeFileSync(file, systemdUnit({ ...spec, system, command }));
      const mode = system ? '--system' : '--user';
      const verify = spawnSync('systemd-analyze', ['verify', mode, '--man=no', file], {
        encoding: 'utf8',
        env: { ...process.env, XDG_RUNTIME_DIR: dir },
      });
      expect(verify.error).toBe(undefined);
      const about = verify.stderr.split('\n').filter((line) => line.includes('golem-provider'));
      expect(about).toEqual([]);
    } finally {
      rmSync(dir, { recursive: true });
    }
  });
});

test('the launchd job starts with its user, restarts when it failed, and leaves its guests alone', () => {
  const plist = launchdPlist({ ...spec, command: ['/bin/node', '/a & <b>', 'start'] });
  expect(plist).toBe(`<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
  <key>Label</key><string>golem.provider</string>
  <key>ProgramArguments</key>
  <array>
    <string>/bin/node</string>
    <string>/a &amp; &lt;b&gt;</string>
    <string>start</string>
  </array>
  <key>EnvironmentVariables</key>
  <dict><key>PATH</key><string>/usr/bin:/bin</string></dict>
  <key>RunAtLoad</key><true/>
  <key>KeepAlive</key>
  <dict><key>SuccessfulExit</key><false/></dict>
  <key>ThrottleInterval</key><integer>5</integer>
  <key>AbandonProcessGroup</key><true/>
  <key>ProcessType</key><string>Background</string>
  <key>StandardErrorPath</key><string>/var/log/golem-provider.log</string>
</dict>
</plist>
`);
});
