/** `golem vm exec`: one program in a VM, its words as they were typed, its streams and exit code ours. */
import { EXIT, GolemError } from '@vm-on-golem/shared/errors';
import { lineOf } from '../../guest/words.ts';
import { isSet, option, type Command } from '../command.ts';
import { findReady } from '../read/reference.ts';
import { enterGuest } from '../work/enter.ts';
import { withStreams } from '../work/streams.ts';

export const exec: Command<number> = {
  name: 'exec',
  usage: 'NAME [--] PROGRAM [ARGUMENTS...]',
  args: { min: 1, max: 1 },
  options: [
    { name: 'tty', short: 't', summary: 'give it a terminal' },
    {
      name: 'env',
      short: 'e',
      value: 'KEY=VALUE',
      summary: 'set a variable',
      repeatable: true,
    },
    { name: 'workdir', short: 'w', value: 'DIR', summary: 'where it is run; otherwise at home' },
  ],
  examples: [
    'golem vm exec web -- df -h /',
    'golem vm exec -e LANG=C -w /srv web -- ls -l',
    "golem vm exec web -- sh -c 'tar c /srv | gzip' > srv.tar.gz",
    'golem vm exec -t web -- top',
  ],
  passesOn: true,

  async run(context, input) {
    const [reference = ''] = input.args;
    if (input.rest.length === 0) {
      throw new GolemError('usage', 'Which program?', {
        hint: `golem vm exec ${reference} -- PROGRAM, or for a shell: golem vm ssh ${reference}`,
      });
    }
    const env = input.options['env'] ?? [];
    for (const assignment of env) checkAssignment(assignment);
    const line = lineOf({ words: input.rest, env, folder: option(input, 'workdir') });
    const entry = await findReady(context, reference);
    await using session = new AsyncDisposableStack();
    const gone = new AbortController();
    session.defer(() => gone.abort());
    const guest = session.use(await enterGuest(context, entry, gone.signal));
    return await withStreams(context, isSet(input, 'tty'), (io) => guest.exec(line, io));
  },
  exitCode: (code) => code,
  // As with ssh: what the program itself ends with is never mistaken for a way that failed.
  failureCode: EXIT.transport,
};

function checkAssignment(text: string): void {
  if (/^[A-Za-z_]\w*=/.test(text) && !text.includes('\0')) return;
  throw new GolemError('usage', `'${text}' sets no variable.`, {
    hint: 'It is KEY=VALUE, and a KEY has letters, digits and underscores.',
  });
}
