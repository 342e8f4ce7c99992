/** What a service manager is told about the agent: a systemd unit, a launchd job. Pure. */
import { LAUNCHD_LABEL } from './supervisor.ts';

export interface ServiceSpec {
  /** Absolute paths: the program and the words that it is started with. */
  readonly command: readonly string[];
  /** Of the whole machine, started with it; otherwise of one user. */
  readonly system: boolean;
  /** Where launchd puts what goes to stderr. */
  readonly logFile: string;
  /** Where programs such as QEMU are found. */
  readonly path: string;
}

/**
 * - `KillMode=process`, `Delegate` and `OOMPolicy`: guests are processes of their own in groups of
 *   their own; they outlive the agent, and the end of one is not the end of all.
 * - `RestartPreventExitStatus`: 0 is an agent that was asked to stop, 2 one whose configuration is
 *   wrong, which another start does not make right.
 * - What is protected is protected without a private view of the file system: guests would be caught
 *   in it, and a new agent would not see what they see. QEMU and V8 write code that they run, and pasta
 *   makes namespaces, so both stay allowed.
 */
export function systemdUnit({ command, system, path }: ServiceSpec): string {
  return [
    '[Unit]',
    'Description=VM on Golem: rents out a part of this machine',
    ...(system ? ['Wants=network-online.target', 'After=network-online.target'] : []),
    'StartLimitIntervalSec=0',
    '',
    '[Service]',
    'Type=notify',
    // As root `systemd-notify` speaks for its parent; as somebody else only for itself.
    `NotifyAccess=${system ? 'main' : 'all'}`,
    `ExecStart=${command.map(quoteWord).join(' ')}`,
    'ExecReload=/bin/kill -HUP $MAINPID',
    `Environment=${quoteWord(`PATH=${path}`)}`,
    'TimeoutStartSec=5min',
    'TimeoutStopSec=1min',
    'WatchdogSec=2min',
    'WatchdogSignal=SIGKILL',
    'Restart=always',
    'RestartSec=5s',
    'RestartPreventExitStatus=0 2',
    '',
    'KillMode=process',
    'Delegate=yes',
    'OOMPolicy=continue',
    'TasksMax=infinity',
    'LimitNOFILE=65536',
    '',
    'NoNewPrivileges=yes',
    'LockPersonality=yes',
    'RestrictRealtime=yes',
    'RestrictSUIDSGID=yes',
    'RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK AF_PACKET',
    'SystemCallArchitectures=native',
    ...(system ? [`CapabilityBoundingSet=~${FORBIDDEN.join(' ')}`] : []),
    '',
    '[Install]',
    `WantedBy=${system ? 'multi-user.target' : 'default.target'}`,
    '',
  ].join('\n');
}

/** Of root's powers, those that renting out VMs never needs. */
const FORBIDDEN = [
  ...['CAP_SYS_MODULE', 'CAP_SYS_BOOT', 'CAP_SYS_TIME', 'CAP_SYS_RAWIO', 'CAP_SYS_PACCT'],
  ...['CAP_SYSLOG', 'CAP_AUDIT_CONTROL', 'CAP_MAC_ADMIN', 'CAP_MAC_OVERRIDE', 'CAP_WAKE_ALARM'],
];

/** `AbandonProcessGroup`: guests outlive the agent. `SuccessfulExit`: it was asked to stop. */
export function launchdPlist({ command, logFile, path }: ServiceSpec): string {
  const string = (text: string) => `<string>${escapeXml(text)}</string>`;
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    '<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">',
    '<plist version="1.0">',
    '<dict>',
    `  <key>Label</key>${string(LAUNCHD_LABEL)}`,
    '  <key>ProgramArguments</key>',
    '  <array>',
    ...command.map((word) => `    ${string(word)}`),
    '  </array>',
    '  <key>EnvironmentVariables</key>',
    `  <dict><key>PATH</key>${string(path)}</dict>`,
    '  <key>RunAtLoad</key><true/>',
    '  <key>KeepAlive</key>',
    '  <dict><key>SuccessfulExit</key><false/></dict>',
    '  <key>ThrottleInterval</key><integer>5</integer>',
    '  <key>AbandonProcessGroup</key><true/>',
    '  <key>ProcessType</key><string>Background</string>',
    `  <key>StandardErrorPath</key>${string(logFile)}`,
    '</dict>',
    '</plist>',
    '',
  ].join('\n');
}

/** One word of a unit file: in quotes where it must be, without specifiers and variables. */
function quoteWord(word: string): string {
  const plain = word.replaceAll('%', '%%').replaceAll('$', () => '$$');
  if (/^[\w@%+=:,./$-]+$/.test(plain)) return plain;
  const escaped = plain.replaceAll(/["\\]/g, String.raw`\$&`).replaceAll('\n', String.raw`\n`);
  return `"${escaped}"`;
}

function escapeXml(text: string): string {
  const entities: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;' };
  return text.replaceAll(/[&<>]/g, (character) => entities[character] ?? character);
}
