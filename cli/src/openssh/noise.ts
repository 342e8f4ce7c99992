/** What OpenSSH says after its proxy has said why: that it was not told why. Pure. */

const NOISE = [
  'kex_exchange_identification: ',
  'ssh_exchange_identification: ',
  'Connection closed by UNKNOWN port ',
  'banner exchange: Connection to UNKNOWN port ',
] as const;
/** How errors of `golem` begin. */
const OURS = 'golem: ';

/**
 * Passes on what ssh writes to its standard error, without the lines that follow an error of the proxy
 * and say nothing. Whatever else is said goes through at once, lines that are not complete included.
 * @returns a function of a chunk (one character for each byte); of undefined at the end
 */
export function quieted(): (chunk: string | undefined) => string {
  let line = '';
  let isTold = false;
  /** How much of `line` was passed on already. */
  let shown = 0;
  return (chunk) => {
    let out = '';
    const parts = (chunk ?? '').split(/(?<=\n)/);
    for (const part of parts) {
      line += part;
      if (line.startsWith(OURS)) isTold = true;
      const isWhole = line.endsWith('\n') || chunk === undefined;
      if (!isTold || !(isWhole ? isNoise(line) : mayBeNoise(line))) {
        out += line.slice(shown);
        shown = line.length;
      }
      if (!line.endsWith('\n')) continue;
      line = '';
      shown = 0;
    }
    return out;
  };
}

function isNoise(line: string): boolean {
  return NOISE.some((start) => line.startsWith(start));
}

function mayBeNoise(line: string): boolean {
  return NOISE.some((start) => line.startsWith(start) || start.startsWith(line));
}
