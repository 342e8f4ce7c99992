/** Text of ssh_config(5): blocks for VMs, and the one line by which a person's own file finds them. Pure. */

export interface SshHost {
  /** Name of the VM, or names with spaces between them. */
  readonly host: string;
  readonly options: Readonly<Record<string, string>>;
}

export function hostLines({ host, options }: SshHost): string[] {
  return [`Host ${host}`, ...Object.entries(options).map(([name, value]) => `  ${name} ${value}`)];
}

/** A whole file. It is written anew whenever VMs come or go. */
export function configText(hosts: readonly SshHost[]): string {
  const head = ['# Written by golem, and anew whenever VMs come or go: do not change it here.'];
  return [head, ...hosts.map(hostLines)].map((lines) => `${lines.join('\n')}\n`).join('\n');
}

/** Names that a file has blocks for. */
export function namesIn(text: string): string[] {
  return text
    .split('\n')
    .flatMap((line) => /^Host (.*)$/.exec(line)?.[1]?.trim().split(/\s+/) ?? []);
}

/**
 * Hosts by names that mean one VM each on this machine, whichever contexts have one of a name: it is
 * `NAME.CONTEXT` then. In other contexts than the standard one it always is, so that it stays that when
 * the short name is taken or given back.
 * @param taken names in the files of other contexts
 */
export function namedApart(
  hosts: readonly SshHost[],
  context: { readonly name: string; readonly isStandard: boolean },
  taken: ReadonlySet<string>,
): SshHost[] {
  return hosts.map(({ host, options }) => {
    const long = `${host}.${context.name}`;
    if (taken.has(host)) return { host: long, options };
    return { host: context.isStandard ? host : `${host} ${long}`, options };
  });
}

const REMARK = "# VMs of golem. 'golem vm ssh-config --remove' takes these two lines away.";

/**
 * `text` with the line that includes `file`, first of all: what comes after a Host is about that host
 * alone.
 */
export function withInclude(text: string, file: string): string {
  if (hasInclude(text, file)) return text;
  return `${REMARK}\n${includeLine(file)}\n${text}`;
}

/** `text` without it, and otherwise as it is. */
export function withoutInclude(text: string, file: string): string {
  const line = includeLine(file);
  return text
    .split(/(?<=\n)/)
    .filter((one, at, all) => {
      const isIncluded = (other: string | undefined) => other?.trimEnd() === line;
      return !isIncluded(one) && !(one.trimEnd() === REMARK && isIncluded(all[at + 1]));
    })
    .join('');
}

export function hasInclude(text: string, file: string): boolean {
  return text.split('\n').some((line) => line.trimEnd() === includeLine(file));
}

function includeLine(file: string): string {
  return `Include ${/\s/.test(file) ? `"${file}"` : file}`;
}
