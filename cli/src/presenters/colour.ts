/** When there are colours, and which. Pure. */
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

export type Style = 'bold' | 'dim' | 'red' | 'green' | 'yellow';
/** Has a text in a style, as terminals understand it. */
export type InStyle = (style: Style, text: string) => string;

const STYLES: Readonly<Record<Tone, Style>> = {
  ...{ good: 'green', bad: 'red', busy: 'yellow', faint: 'dim' },
};

/** @param inStyle none where there are no colours */
export function paletteOf(inStyle: InStyle = (_, text) => text): Palette {
  return {
    title: (text) => inStyle('bold', text),
    error: (text) => inStyle('red', text),
    tone: (tone, text) => (tone ? inStyle(STYLES[tone], text) : text),
  };
}
