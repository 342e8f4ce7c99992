/** What a command shows, before it is known where: a table, or lines. */
export interface View {
  readonly table?: Table;
  readonly lines?: readonly string[];
  /** For `--quiet`: one id a line. */
  readonly ids?: readonly string[];
  /** For `-o name`. */
  readonly names?: readonly string[];
}

export interface Table {
  readonly columns: readonly Column[];
  readonly rows: readonly (readonly string[])[];
  /** Said instead of an empty table. */
  readonly empty: string;
}

export interface Column {
  readonly title: string;
  readonly right?: boolean;
}
