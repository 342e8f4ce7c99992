/** Questions on a terminal, and where there is none. */
import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { openTerminal, type TerminalOptions } from './terminal.ts';

const ASKS = { isTerse: false, isAgreed: false, isSilent: false };

function terminal({ isTTY = true, ...options }: Partial<TerminalOptions & { isTTY: boolean }>) {
  const [input, error] = [new PassThrough(), new PassThrough()];
  const streams = {
    input: Object.assign(input, { isTTY }) as unknown as NodeJS.ReadStream,
    error: Object.assign(error, { isTTY, columns: 80 }) as unknown as NodeJS.WriteStream,
  };
  return { input, error, ...openTerminal(streams, { ...ASKS, ...options }) };
}

test.each(['y\n', 'YES\n', ' y \n'])('%j is a yes', async (answer) => {
  const { input, confirm } = terminal({});
  input.write(answer);
  await expect(confirm('Do it?')).resolves.toBe(true);
});

test.each(['n\n', '\n', 'yesterday\n'])('%j is a no: no wrong command line', async (answer) => {
  const { input, confirm } = terminal({});
  input.write(answer);
  await expect(confirm('Do it?')).rejects.toMatchObject({
    ...{ code: 'interrupted', exitCode: 130, message: 'Nothing was done.', hint: undefined },
  });
});

test('an end of the input is a no', async () => {
  const { input, confirm } = terminal({});
  input.end();
  await expect(confirm('Do it?')).rejects.toMatchObject({ code: 'interrupted' });
});

test.each([{ isTTY: false }, { isSilent: true }])('nobody is asked: %j', async (options) => {
  const { error, confirm } = terminal(options);
  await expect(confirm('Do it?')).resolves.toBe(false);
  expect(error.read()).toBeNull();
});
