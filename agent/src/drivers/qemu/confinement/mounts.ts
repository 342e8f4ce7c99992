/** Where the kernel's control groups are. Pure. */

export interface CgroupMount {
  readonly path: string;
  readonly version: 1 | 2;
  /** Of version 1: what it controls. */
  readonly controllers: readonly string[];
}

/** @param text of /proc/self/mountinfo */
export function parseMounts(text: string): CgroupMount[] {
  return text.split('\n').flatMap((line): CgroupMount[] => {
    const [before = '', after = ''] = line.split(' - ');
    const path = unescaped(before.split(' ')[4] ?? '');
    const [type, , options = ''] = after.split(' ');
    if (path === '') return [];
    if (type === 'cgroup2') return [{ path, version: 2, controllers: [] }];
    return type === 'cgroup' ? [{ path, version: 1, controllers: options.split(',') }] : [];
  });
}

/** @param text of /proc/self/cgroup @returns our own group of version 2, such as `/user.slice` */
export function ownGroup(text: string): string | undefined {
  return /^0::(\/.*)$/m.exec(text)?.[1];
}

/** Blanks and the like are octal there. */
function unescaped(path: string): string {
  return path.replaceAll(/\\([0-7]{3})/g, (_, octal: string) =>
    String.fromCharCode(Number.parseInt(octal, 8)),
  );
}
