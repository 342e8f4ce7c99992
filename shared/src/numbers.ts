/** Numbers in queries, which come as text. */
import * as z from 'zod';

/** Decimal digits and nothing else: no sign, no white space, no exponent. */
export const wholeNumber = (max: number, min = 0) =>
  z
    .string()
    .regex(/^\d{1,16}$/, 'must be a whole number')
    .transform(Number)
    .pipe(z.number().int().min(min).max(max));
