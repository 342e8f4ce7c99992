/**
 * Where a page ended, as opaque text. It is bound to the sort and the filters of its list; the
 * digest finds what was cut or altered. It is no secret: whoever makes up a position gets a page
 * from there, which anyone may read.
 */
import { base64UrlDecode, base64UrlEncode, utf8 } from '@vm-on-golem/shared/encoding';
import { GolemError } from '@vm-on-golem/shared/errors';
import * as z from 'zod';

const positionSchema = z.array(z.union([z.number().int(), z.string().max(64)])).max(4);
/** The values of the sort columns of the last row, its id last. */
export type Position = z.infer<typeof positionSchema>;

const cursorSchema = z.tuple([positionSchema, z.string()]);
const DIGEST_BYTES = 12;

/** @param list names the sort and all filters of the list that the position is in. */
export async function encodeCursor(list: string, position: Position): Promise<string> {
  return base64UrlEncode(utf8(JSON.stringify([position, await digest(list, position)])));
}

/** @throws {GolemError} `invalid_request` for anything but what this list gave out. */
export async function decodeCursor(list: string, cursor: string): Promise<Position> {
  const position = parse(cursor);
  if (!position || (await encodeCursor(list, position)) !== cursor) {
    throw new GolemError('invalid_request', 'The cursor does not belong to this list.', {
      hint: 'Ask for the first page again, without a cursor.',
    });
  }
  return position;
}

function parse(cursor: string): Position | undefined {
  const bytes = base64UrlDecode(cursor);
  if (!bytes) return undefined;
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    // Not one of ours; the caller says so.
    return undefined;
  }
  return cursorSchema.safeParse(json).data?.[0];
}

async function digest(list: string, position: Position): Promise<string> {
  const bytes = utf8(`${list}\n${JSON.stringify(position)}`);
  const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
  return base64UrlEncode(hash.subarray(0, DIGEST_BYTES));
}
