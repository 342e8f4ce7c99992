/** Tab in real shells on a real terminal, and the pages of the manual in real readers of them. */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Terminal } from './terminal.ts';

const run = promisify(execFile);
const root = join(import.meta.dirname, '..');

/** What is typed before Tab, and what stands there behind it. */
const CASES = [
  ['golem vm prov', 'golem vm providers'],
  ['golem --debug vm ssh bl', 'golem --debug vm ssh blog'],
  ['golem vm stop we', 'golem vm stop web-'],
  ['golem vm create --size sma', 'golem vm create --size small'],
  ['golem vm create --size=sma', 'golem vm create --size=small'],
  ['golem vm create --max-p', 'golem vm create --max-price'],
  ['golem vm create --user-data user-', 'golem vm create --user-data user-data.yaml'],
  ['golem vm list -o ya', 'golem vm list -o yaml'],
  ['golem compl', 'golem completion'],
] as const;

describe('Tab', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'golem-shells-'));
    // Names of VMs are names of files: nobody is asked, and nothing is read.
    await mkdir(join(folder, 'home', 'vms'), { recursive: true });
    await mkdir(join(folder, 'bin'));
    for (const name of ['blog', 'web-one', 'web-two']) {
      await writeFile(join(folder, 'home', 'vms', `${name}.json`), '{}');
    }
    await symlink(join(root, 'cli/bin/golem.js'), join(folder, 'bin', 'golem'));
    await symlink(process.execPath, join(folder, 'bin', 'node'));
    await writeFile(join(folder, 'user-data.yaml'), '');
  });
  afterAll(() => rm(folder, { recursive: true }));

  const shells = {
    bash: ['bash --noprofile --norc -i', "PS1='# '; source <(golem completion bash)"],
    zsh: [
      'zsh -f -i',
      "PS1='# '; autoload -U compinit; compinit -D -u; source <(golem completion zsh)",
    ],
    fish: [
      'fish --no-config -i',
      "function fish_prompt; echo '# '; end; golem completion fish | source",
    ],
  } as const;

  test.each(Object.entries(shells))('%s', async (_, [shell, setup]) => {
    await using terminal = await Terminal.open({
      ...{ rows: 40, columns: 100 },
      env: {
        PATH: `${join(folder, 'bin')}:${process.env['PATH'] ?? ''}`,
        ...{ HOME: folder, GOLEM_HOME: join(folder, 'home') },
      },
    });
    await terminal.type(`cd ${folder}; exec ${shell}`);
    await terminal.type(`${setup}; echo re''ady`);
    await terminal.shows(/^ready/m);
    for (const [typed, completed] of CASES) {
      await terminal.literal(typed);
      await terminal.key('Tab');
      const line = new RegExp(`^# ${completed.replaceAll('.', '\\.')}(?![a-z])`, 'm');
      expect(await terminal.shows(line)).toMatch(line);
      // What was typed is not run.
      await terminal.key('C-c');
      await terminal.type('');
    }
  });
});

describe('the manual', async () => {
  const pages = (await readdir(join(root, 'docs/man'))).map((name) => join(root, 'docs/man', name));

  test('is read by man without a warning', async () => {
    for (const page of pages) {
      const { stdout, stderr } = await run('man', ['--warnings', '-l', page], {
        env: { ...process.env, MANWIDTH: '78', MAN_KEEP_FORMATTING: '', LC_ALL: 'C.UTF-8' },
      });
      expect(stderr).toBe('');
      expect(stdout).toMatch(/^NAME\n\s+golem/m);
    }
  });

  test('has nothing that mandoc finds wrong', async () => {
    const { stdout } = await run('mandoc', ['-T', 'lint', '-W', 'warning', ...pages]).catch(
      (error: { stdout: string }) => error,
    );
    // Pages have the version of the program, and no date.
    expect(stdout.split('\n').filter((line) => line && !/missing date/.test(line))).toEqual([]);
  });
});
