/** Lists in pages that fit into one answer. Pure. */
import type { VmsPage } from '@vm-on-golem/shared/api';
import { base64UrlDecode, base64UrlEncode, utf8 } from '@vm-on-golem/shared/encoding';
import { GolemError } from '@vm-on-golem/shared/errors';
import type { Vm } from '@vm-on-golem/shared/vm';
import { AGENT_LIMITS } from '../limits.ts';
import type { VmRecord } from './records.ts';

/** @param records in the order of `seq`: one more than the page may hold, if there are more */
export function vmsPage(
  records: readonly VmRecord[],
  count: number,
  show: (vm: VmRecord) => Vm,
): VmsPage {
  const vms: Vm[] = [];
  let bytes = 0;
  for (const record of records.slice(0, count)) {
    const vm = show(record);
    bytes += JSON.stringify(vm).length;
    if (vms.length > 0 && bytes > AGENT_LIMITS.vms.pageBytes) break;
    vms.push(vm);
  }
  const last = records[vms.length - 1];
  const isLast = last === undefined || records.length === vms.length;
  return { vms, next: isLast ? null : base64UrlEncode(utf8(String(last.seq))) };
}

/**
 * @returns the `seq` that the page begins behind
 * @throws {GolemError} `invalid_request`
 */
export function readCursor(cursor: string | undefined): number {
  if (cursor === undefined) return 0;
  const text = new TextDecoder().decode(base64UrlDecode(cursor) ?? new Uint8Array());
  if (!/^\d{1,15}$/.test(text)) {
    throw new GolemError('invalid_request', 'The cursor is not one that this provider gave.');
  }
  return Number(text);
}
