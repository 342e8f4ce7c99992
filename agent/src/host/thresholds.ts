/**
 * When the machine is too busy for more VMs. Whoever is over a threshold has to be so for a while,
 * and well below it for a while before VMs are taken again: an offer must not flap. Pure.
 */

export const GAUGES = ['cpu', 'memory', 'disk'] as const;
export type Gauge = (typeof GAUGES)[number];

/** Percent in use; undefined while it is not known. */
export type Load = Readonly<Record<Gauge, number | undefined>>;
/** Percent; 100 never stops anything. */
export type Thresholds = Readonly<Record<Gauge, number>>;

interface Watched {
  readonly over: boolean;
  /** Looks in a row that spoke for a change. */
  readonly streak: number;
}
export type Pressure = Readonly<Record<Gauge, Watched>>;

/** Points below its threshold at which a gauge has recovered. */
export const RECOVERY_POINTS = 5;
/** Looks that agree before anything changes. */
export const LOOKS = 3;

const CALM: Watched = { over: false, streak: 0 };
export const NO_PRESSURE: Pressure = { cpu: CALM, memory: CALM, disk: CALM };

/** The pressure after another look. */
export function look(pressure: Pressure, load: Load, thresholds: Thresholds): Pressure {
  const next = (gauge: Gauge) => watched(pressure[gauge], load[gauge], thresholds[gauge]);
  return { cpu: next('cpu'), memory: next('memory'), disk: next('disk') };
}

function watched(before: Watched, percent: number | undefined, threshold: number): Watched {
  if (threshold >= 100) return CALM;
  // What is not known changes nothing.
  if (percent === undefined) return before;
  const changes = before.over ? percent <= threshold - RECOVERY_POINTS : percent >= threshold;
  if (!changes) return { over: before.over, streak: 0 };
  const streak = before.streak + 1;
  return streak < LOOKS ? { over: before.over, streak } : { over: !before.over, streak: 0 };
}

/** @returns why no VMs are taken, in words for requestors; undefined when they are */
export function pressureReason(
  pressure: Pressure,
  load: Load,
  thresholds: Thresholds,
): string | undefined {
  const over = GAUGES.filter((gauge) => pressure[gauge].over);
  if (over.length === 0) return undefined;
  const said = over.map((gauge) => {
    const percent = Math.round(load[gauge] ?? thresholds[gauge]);
    return `${WORDS[gauge](percent)} (it takes VMs below ${thresholds[gauge] - RECOVERY_POINTS} %)`;
  });
  return `The provider's machine is too busy: ${said.join(', and ')}.`;
}

const WORDS: Readonly<Record<Gauge, (percent: number) => string>> = {
  cpu: (percent) => `its own work takes ${percent} % of its CPUs`,
  memory: (percent) => `${percent} % of its memory are in use`,
  disk: (percent) => `its disk is ${percent} % full`,
};
