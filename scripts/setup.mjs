// Brings a machine up to date for this repository, and says nothing when nothing is missing.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { accessSync, constants, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline/promises';

/** A program and the Debian package that brings it, by what it is needed for. */
const PROGRAMS = {
  guest: {
    'qemu-system-x86_64': 'qemu-system-x86',
    'qemu-img': 'qemu-utils',
    mke2fs: 'e2fsprogs',
    cpio: 'cpio',
    gzip: 'gzip',
    'dpkg-deb': 'dpkg',
  },
  ssh: { ssh: 'openssh-client', scp: 'openssh-client', sshd: 'openssh-server' },
  peers: { socat: 'socat', websockify: 'websockify', openssl: 'openssl' },
  terminal: { tmux: 'tmux', setpriv: 'util-linux', socat: 'socat' },
  // What people use over SSH. Ansible brings the Python that it runs on.
  interop: {
    rsync: 'rsync',
    git: 'git',
    sftp: 'openssh-client',
    'ssh-agent': 'openssh-client',
    ansible: 'ansible-core',
  },
  shells: { bash: 'bash', zsh: 'zsh', fish: 'fish' },
  manual: { man: 'man-db', mandoc: 'mandoc' },
  // Systemd's own programs, whether or not it runs here.
  service: { 'systemd-notify': 'systemd', 'systemd-analyze': 'systemd' },
  cookbook: { curl: 'curl' },
  network: { ip: 'iproute2', nft: 'nftables', pasta: 'passt', socat: 'socat' },
};

/** Ends with one line that says what is wrong and what helps. */
export function refuse(message) {
  console.error(`setup: ${message}`);
  process.exit(1);
}

/** Installs what package-lock.json names, unless exactly that is installed already. */
export function ensureNpmPackages(root) {
  const [major] = process.versions.node.split('.').map(Number);
  if (major < 20) refuse(`Node ${process.versions.node} is too old; install Node 20 or newer`);
  const stamp = join(root, 'node_modules', '.installed');
  const wanted = createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .digest('hex');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return;
  console.error('setup: installing npm packages');
  // Not `npm ci`: it insists on packages of platforms that the lock file was not made on.
  run('npm', ['install', '--no-save', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: root,
  });
  writeFileSync(stamp, wanted);
}

/** Installs the Debian packages of the programs that `needs` names and that are missing. */
export async function ensureSystemPackages(needs) {
  const missing = new Set();
  for (const need of needs) {
    for (const [program, debian] of Object.entries(PROGRAMS[need])) {
      if (!onPath(program)) missing.add(debian);
    }
  }
  if (missing.size === 0) return;
  const list = [...missing].join(' ');
  const command = `apt-get install -y --no-install-recommends ${list}`;
  if (!onPath('apt-get')) refuse(`please install what Debian calls: ${list}`);

  const sudo = process.getuid?.() === 0 ? [] : ['sudo'];
  if (sudo.length > 0 && !process.env.CI && !(await agrees(`sudo ${command}`))) {
    refuse(`please run: sudo ${command}`);
  }
  console.error(`setup: installing ${list}`);
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const [program, ...prefix] = [...sudo, 'apt-get'];
  const apt = (...args) => run(program, [...prefix, ...args], { env });
  apt('update', '-qq');
  apt('install', '-y', '-qq', '--no-install-recommends', ...missing);
}

async function agrees(command) {
  if (!process.stdin.isTTY || !process.stderr.isTTY) return false;
  const prompt = createInterface({ input: process.stdin, output: process.stderr });
  const answer = await prompt.question(`setup: may I run this?\n  ${command}\n[Y/n] `);
  prompt.close();
  return /^(y|yes|)$/i.test(answer.trim());
}

/** Runs quietly; what it printed is shown only if it failed. */
function run(program, args, options) {
  const result = spawnSync(program, args, {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    ...options,
  });
  if (result.status === 0) return;
  process.stderr.write(`${result.stdout ?? ''}${result.stderr ?? ''}`);
  refuse(`'${program} ${args.join(' ')}' failed${result.error ? `: ${result.error.message}` : ''}`);
}

function onPath(program) {
  const folders = `${process.env.PATH ?? ''}:/usr/sbin:/sbin`.split(':').filter(Boolean);
  return folders.some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
