/** The status as it goes on: a screen on a terminal, one text after the other elsewhere. */
import { setTimeout as sleep } from 'node:timers/promises';
import { GolemError } from '@vm-on-golem/shared/errors';
import type { Status } from '../control/schemas.ts';
import { ENTER_SCREEN, frame, LEAVE_SCREEN, wantsColour } from '../presenters/screen.ts';
import { statusLines } from '../presenters/status.ts';
import type { Surroundings } from './command.ts';
import { untilInterrupted } from './interruption.ts';

const EVERY_MILLIS = 1000;
/** `q`, and Ctrl-C, which sends no signal while keys are read one by one. */
const QUIT_KEYS = ['q', 'Q', '\u0003'];
/** Of a terminal that does not say. */
const USUAL_SIZE = { rows: 24, columns: 80 };

export interface WatchOptions {
  readonly asJson: boolean;
  readonly now: () => number;
}

/** Resolves when it is ended by `q` or a signal. An agent that goes away may come back. */
export async function watchStatus(
  ask: () => Promise<Status>,
  around: Surroundings,
  { asJson, now }: WatchOptions,
): Promise<void> {
  const { stdout } = around;
  using interruption = untilInterrupted(around);
  using screen = stdout.isTTY && !asJson ? openScreen(around) : undefined;
  const ended = AbortSignal.any([interruption.signal, ...(screen ? [screen.quit] : [])]);
  while (!ended.aborted) {
    if (screen) screen.draw(await linesOrSilence(ask, now, screen.columns()));
    else if (asJson) stdout.write(`${JSON.stringify(await ask())}\n`);
    else stdout.write(`${statusLines(await ask(), now()).join('\n')}\n\n`);
    await pause(ended);
  }
}

interface Screen extends Disposable {
  /** Aborted by `q` and by what Ctrl-C sends while keys are read. */
  readonly quit: AbortSignal;
  columns(): number;
  draw(lines: readonly string[]): void;
}

function openScreen({ stdin, stdout, env }: Surroundings): Screen {
  const colour = wantsColour(stdout.isTTY, env);
  const quitting = new AbortController();
  let drawn: readonly string[] = [];
  const columns = () => stdout.columns || USUAL_SIZE.columns;
  const draw = () => {
    const rows = stdout.rows || USUAL_SIZE.rows;
    stdout.write(frame(drawn, { rows, columns: columns() }, colour));
  };
  const onKey = (keys: Buffer) => {
    if (QUIT_KEYS.some((key) => keys.includes(key))) quitting.abort();
  };
  const readsKeys = stdin.isTTY;
  if (readsKeys) stdin.setRawMode(true).on('data', onKey).resume();
  stdout.on('resize', draw);
  stdout.write(ENTER_SCREEN);
  return {
    quit: quitting.signal,
    columns,
    draw: (lines) => {
      drawn = lines;
      draw();
    },
    [Symbol.dispose]: () => {
      stdout.off('resize', draw);
      stdout.write(LEAVE_SCREEN);
      if (readsKeys) stdin.setRawMode(false).off('data', onKey).pause();
    },
  };
}

async function linesOrSilence(
  ask: () => Promise<Status>,
  now: () => number,
  columns: number,
): Promise<string[]> {
  const title = `golem-provider at ${new Date(now()).toLocaleTimeString('sv-SE')}, q to quit`;
  try {
    return [title, '', ...statusLines(await ask(), now(), columns)];
  } catch (error) {
    if (!(error instanceof GolemError)) throw error;
    return [title, '', `! ${error.message}`, ...(error.hint === undefined ? [] : [error.hint])];
  }
}

async function pause(ended: AbortSignal): Promise<void> {
  try {
    await sleep(EVERY_MILLIS, undefined, { signal: ended });
  } catch (error) {
    if (!ended.aborted) throw error;
  }
}
