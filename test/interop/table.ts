/** Tests by the tool that they are about, and in the end one table of what was shown. */
import { afterAll, test } from 'vitest';

interface Row {
  readonly tool: string;
  readonly name: string;
  result: 'works' | 'FAILED' | 'not run';
}

const rows: Row[] = [];

/** A test whose result is a row of the table. */
export function shown(tool: string, name: string, check: () => Promise<void>): void {
  const row: Row = { tool, name, result: 'not run' };
  rows.push(row);
  test(`${tool}: ${name}`, async () => {
    row.result = 'FAILED';
    await check();
    row.result = 'works';
  });
}

/** Prints the table when all tests of this file have ended. */
export function printTable(title: string): void {
  afterAll(() => {
    const width = (pick: (row: Row) => string) => Math.max(...rows.map((row) => pick(row).length));
    const [tool, name] = [width((row) => row.tool), width((row) => row.name)];
    const lines = rows.map((row) =>
      [row.tool.padEnd(tool), row.name.padEnd(name), row.result].join('  '),
    );
    console.log([title, ...lines].join('\n'));
  });
}
