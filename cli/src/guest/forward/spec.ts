/** Which ports of this machine lead where in a guest, as `ssh -L` writes it. Pure. */
import { GolemError } from '@vm-on-golem/shared/errors';

export interface ForwardSpec {
  /** Address of this machine; loopback unless said. */
  readonly bind: string;
  /** 0 for any that is free. */
  readonly port: number;
  /** As the guest sees it. */
  readonly host: string;
  readonly hostPort: number;
}

const LOOPBACK = '127.0.0.1';

/**
 * `[[BIND:]PORT:]HOST:PORT`, or `[PORT:]PORT` for the guest's own; addresses with colons are in brackets.
 * An empty BIND or `*` is every address of this machine.
 * @throws {GolemError} `usage`
 */
export function readForward(text: string): ForwardSpec {
  const parts = split(text);
  const [last = '', ...before] = parts?.toReversed() ?? [];
  const refuse = () =>
    new GolemError('usage', `'${text}' says no ports.`, {
      hint: 'It is [BIND:]PORT:HOST:PORT as with ssh -L, or just PORT:PORT, such as 8080:80.',
    });
  const port = (word: string, min: number) => {
    const value = Number(word);
    if (!/^\d{1,5}$/.test(word) || value < min || value > 65_535) throw refuse();
    return value;
  };
  const hostPort = port(last, 1);
  if (before.length === 0) return { bind: LOOPBACK, port: hostPort, host: 'localhost', hostPort };
  const [first = '', second, third, more] = before;
  if (more !== undefined) throw refuse();
  if (second === undefined) {
    return { bind: LOOPBACK, port: port(first, 0), host: 'localhost', hostPort };
  }
  const bind = third === undefined ? LOOPBACK : third === '' || third === '*' ? '::' : third;
  return { bind, port: port(second, 0), host: named(first, refuse), hostPort };
}

function named(host: string, refuse: () => GolemError): string {
  if (host === '' || /[\s/]/.test(host)) throw refuse();
  return host;
}

/** @returns undefined for brackets that do not close */
function split(text: string): string[] | undefined {
  const parts: string[] = [];
  let rest = text;
  for (;;) {
    const [, inBrackets, plain] = /^(?:\[([^[\]]*)\]|([^:[\]]*))(?=:|$)/.exec(rest) ?? [];
    const part = inBrackets ?? plain;
    if (part === undefined) return undefined;
    parts.push(part);
    rest = rest.slice(inBrackets === undefined ? part.length : part.length + 2);
    if (rest === '') return parts;
    rest = rest.slice(1);
  }
}

/** @example `[::1]:8080` */
export function addressText(host: string, port: number): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}
