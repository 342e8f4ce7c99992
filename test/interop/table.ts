/** What was shown, as one table of tools and cases: tests are called `TOOL: CASE`. */
import { afterAll, afterEach } from 'vitest';

interface Row {
  readonly tool: string;
  readonly name: string;
  readonly result: string;
}

/** Prints it when all tests of this file have ended. */
export function printTable(title: string): void {
  const rows: Row[] = [];
  afterEach(({ task }) => {
    const [tool = '', ...words] = task.name.split(': ');
    rows.push({
      tool,
      name: words.join(': '),
      result: task.result?.state === 'fail' ? 'FAILED' : 'works',
    });
  });
  afterAll(() => {
    const width = (pick: (row: Row) => string) => Math.max(...rows.map((row) => pick(row).length));
    const [tool, name] = [width((row) => row.tool), width((row) => row.name)];
    const lines = rows.map((row) =>
      [row.tool.padEnd(tool), row.name.padEnd(name), row.result].join('  '),
    );
    console.log([title, ...lines].join('\n'));
  });
}
