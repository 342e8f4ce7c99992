/** What was decided about new VMs and those that are there. Pure. */
import type { ModeView } from '../control/schemas.ts';
import { duration, localTime } from './units.ts';

export function modeLines(mode: ModeView, now: number): string[] {
  if (mode.kind === 'open') return ['New VMs are welcome.'];
  if (mode.kind === 'paused') return ['No new VMs are taken. Those that are here run on.'];
  const by = Date.parse(mode.by);
  return [
    `No new VMs are taken. Those that are here are stopped at ${localTime(by)}, in ${duration(by - now)};`,
    'their owners are told, and their disks are kept for 7 days.',
    ...(mode.reason === undefined ? [] : [`Reason given: ${mode.reason}`]),
  ];
}
