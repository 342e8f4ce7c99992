/** When there are colours, and which. Pure. */
import picocolors from 'picocolors';
import type { Tone } from './view.ts';

export interface ColourWishes {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly isTerminal: boolean;
  /** `--no-color` was said. */
  readonly isRefused: boolean;
}

/** By https://no-color.org and https://bixense.com/clicolors: whoever wants none is heard first. */
export function wantsColour({ env, isTerminal, isRefused }: ColourWishes): boolean {
  if (isRefused || isOn(env['NO_COLOR'])) return false;
  if (isOn(env['CLICOLOR_FORCE']) && env['CLICOLOR_FORCE'] !== '0') return true;
  return isTerminal && env['CLICOLOR'] !== '0' && env['TERM'] !== 'dumb';
}

const isOn = (value: string | undefined) => value !== undefined && value !== '';

export interface Palette {
  readonly title: (text: string) => string;
  readonly error: (text: string) => string;
  readonly tone: (tone: Tone | undefined, text: string) => string;
}

export function paletteOf(isColoured: boolean): Palette {
  const { bold, dim, red, green, yellow } = picocolors.createColors(isColoured);
  const tones: Readonly<Record<Tone, (text: string) => string>> = {
    good: green,
    bad: red,
    busy: yellow,
    faint: dim,
  };
  return {
    title: bold,
    error: red,
    tone: (tone, text) => (tone ? tones[tone](text) : text),
  };
}
