/** Colours of a terminal. Whether there are any is decided before. */
import { styleText } from 'node:util';
import type { InStyle } from '../presenters/colour.ts';

export const coloured: InStyle = (style, text) => styleText(style, text, { validateStream: false });
