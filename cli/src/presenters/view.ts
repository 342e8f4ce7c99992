/** What a command shows, before it is known where: facts, a table, or lines. */
export interface View {
  readonly lines?: readonly string[];
  /** Of one thing: names and values, one a line. */
  readonly facts?: readonly (readonly [name: string, value: string])[];
  readonly table?: Table;
  /** Below the table, for people alone: neither in `tsv` nor in `wide`, which have columns for it. */
  readonly below?: readonly string[];
  /** For `--quiet`: one id a line. */
  readonly ids?: readonly string[];
  /** For `-o name`. */
  readonly names?: readonly string[];
}

export interface Table {
  readonly columns: readonly Column[];
  /** A cell for each column, `wide` ones as well. */
  readonly rows: readonly (readonly string[])[];
  /** Said instead of an empty table. */
  readonly empty: string;
}

export interface Column {
  readonly title: string;
  readonly right?: boolean;
  /** Where there is no room, columns are left out: the greatest first, those of 0 (or none) never. */
  readonly priority?: number;
  /** Never cut, as half of it says nothing: ids, prices, states. */
  readonly fixed?: boolean;
  /** Shown by `-o wide` and to programs only. */
  readonly wide?: boolean;
  /** Colours of cells by their text. */
  readonly tones?: Readonly<Record<string, Tone>>;
}

export type Tone = 'good' | 'bad' | 'busy' | 'faint';

/** Of states of VMs, wherever they are shown. */
export const STATE_TONES: Readonly<Record<string, Tone>> = {
  running: 'good',
  failed: 'bad',
  unreachable: 'bad',
  unknown: 'bad',
  creating: 'busy',
  starting: 'busy',
  stopping: 'busy',
  suspending: 'busy',
  changing: 'busy',
  destroying: 'busy',
  stopped: 'faint',
  suspended: 'faint',
};
