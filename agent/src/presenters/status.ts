/** What `golem-provider status` shows. Pure. */
import { SIZES } from '@vm-on-golem/shared/vm';
import type { Status } from '../control/schemas.ts';
import { modeLines } from './mode.ts';
import { fields } from './table.ts';
import { bill, bytes, duration, memory, percent, usd } from './units.ts';
import { vmLines } from './vms.ts';

const PHASES: Readonly<Record<Status['link']['phase'], string>> = {
  connecting: 'connecting to',
  connected: 'connected to',
  draining: 'moving to another hub of',
  'backing-off': 'cannot reach',
  stopped: 'has left',
};

/** @param width columns of the terminal; none where nothing needs to be cut */
export function statusLines(status: Status, now: number, width?: number): string[] {
  const { link, capacity, available, load, traffic, earnings } = status;
  const { driver, accelerator, isolation } = status;
  const since = link.since === null ? '' : ` for ${duration(now - Date.parse(link.since))}`;
  const taken = capacity.vms - available.vms;
  const share = (of: 'cpus' | 'memoryMiB' | 'storageGiB', text: (amount: number) => string) =>
    `${text(capacity[of] - available[of])} of ${text(capacity[of])}`;
  return [
    ...fields([
      ['Provider', `${status.name} (${status.provider})`],
      ['Link', `${PHASES[link.phase]} ${status.discovery}${since}`],
      ['Guests', `${driver} with ${accelerator}, isolation ${isolation}`],
      [
        'Rented',
        `${taken} of ${capacity.vms} VMs, ${status.sessions} SSH session${status.sessions === 1 ? '' : 's'} open`,
      ],
      ['CPUs', share('cpus', String)],
      ['Memory', share('memoryMiB', memory)],
      ['Disk', share('storageGiB', (amount) => `${amount} GiB`)],
      [
        'Load',
        `CPU ${percent(load.cpu)} beside guests, memory ${percent(load.memory)}, disk ${percent(load.disk)}`,
      ],
      ['Traffic', trafficText(traffic)],
      ['Earned', `${usd(earnings.today)} today, ${usd(earnings.month)} this month, in days of UTC`],
      ['Price', `${usd(bill(status.prices, SIZES.small).month)} a month for a small VM`],
      ['Running', `for ${duration(now - Date.parse(status.startedAt))}, pid ${status.pid}`],
    ]),
    ...['', ...modeLines(status.mode, now)],
    ...noticesOf(status).map((notice) => `! ${notice}`),
    ...(status.vms.length > 0 ? ['', ...vmLines(status.vms, now, width)] : []),
  ];
}

function trafficText({ received, sent, month }: Status['traffic']): string {
  const now = `${bytes(received)} to guests and ${bytes(sent)} from them`;
  if (month === null) return now;
  const { used, limit } = month;
  return `${now}; ${bytes(used)}${limit === null ? '' : ` of ${bytes(limit)}`} this month`;
}

/** What somebody should look at. */
function noticesOf({ mode, closed, hypervisorReachable, orphans, waiting }: Status): string[] {
  const count = orphans.length;
  return [
    ...(mode.kind === 'open' && closed !== null ? [`No new VMs are taken: ${closed}`] : []),
    ...(hypervisorReachable ? [] : ['The hypervisor cannot be asked. Its guests are left alone.']),
    ...(count > 0
      ? [
          `${count === 1 ? '1 guest belongs' : `${count} guests belong`} to no VM: see golem-provider orphans`,
        ]
      : []),
    ...(waiting.length > 0
      ? [`Changed, and counts from the next start on: ${waiting.join(', ')}`]
      : []),
  ];
}
