/** The manual as files: pages for `man`, one page of Markdown, and the words for completion. Pure. */
import { ERRORS, EXIT } from '@vm-on-golem/shared/errors';
import { commandMarkdown, indexMarkdown } from '../presenters/markdown.ts';
import { manPage, optionItems, type ManSection } from '../presenters/man.ts';
import type { CommandManual, Manual } from './manual.ts';
import { EXIT_MEANINGS, VARIABLES } from './surroundings.ts';
import { wordsOf } from './words.ts';

/** @returns text by path from the root of the repository */
export function pagesOf(manual: Manual, version: string): Map<string, string> {
  const pages = new Map([
    ['docs/cli.md', markdownOf(manual)],
    ['docs/man/golem.1', overview(manual, version)],
    ['cli/src/program/words.json', `${JSON.stringify(wordsOf(manual), null, 1)}\n`],
  ]);
  for (const command of manual.commands) {
    const name = command.path.replaceAll(' ', '-');
    pages.set(`docs/man/${name}.1`, pageOf(name, command, manual, version));
  }
  return pages;
}

function markdownOf(manual: Manual): string {
  const { common, groups, commands } = manual;
  return [
    ...indexMarkdown({ common, variables: VARIABLES, exits: exitRows() }),
    ...[...groups.map(({ name }) => name), undefined].flatMap((group) => {
      const summary = groups.find(({ name }) => name === group)?.summary ?? 'about the program';
      return [
        `## golem${group === undefined ? '' : ` ${group}`}: ${summary}`,
        '',
        ...commands.filter((each) => each.group === group).flatMap(commandMarkdown),
      ];
    }),
  ].join('\n');
}

function overview({ common, groups, commands }: Manual, version: string): string {
  const named = (group: string | undefined): [string, string][] =>
    commands
      .filter((command) => command.group === group)
      .map(({ path, summary }) => [path, summary]);
  const sections: ManSection[] = [
    {
      title: 'SYNOPSIS',
      blocks: [{ kind: 'text', text: 'golem [options] [GROUP] COMMAND [options] [ARGUMENTS]' }],
    },
    {
      title: 'DESCRIPTION',
      blocks: [
        {
          kind: 'text',
          text: 'golem rents virtual machines on the machines of others, goes into them and gives them back. Every command has a page of its own, such as golem-vm-create(1).',
        },
      ],
    },
    ...[...groups.map(({ name }) => name), undefined].map((group) => ({
      title: `COMMANDS${group === undefined ? '' : ` OF ${group.toUpperCase()}`}`,
      blocks: [{ kind: 'list' as const, items: named(group) }],
    })),
    { title: 'OPTIONS', blocks: [{ kind: 'list', items: optionItems(common) }] },
    { title: 'ENVIRONMENT', blocks: [{ kind: 'list', items: VARIABLES }] },
    { title: 'EXIT STATUS', blocks: [{ kind: 'list', items: exitRows() }] },
  ];
  return manPage(
    { name: 'golem', summary: 'rent a VM as easily as ordering a pizza', sections },
    version,
  );
}

function pageOf(
  name: string,
  command: CommandManual,
  { commands }: Manual,
  version: string,
): string {
  const { path, usage, summary, aliases, about, examples, options, commonOptions, group } = command;
  const related = commands
    .filter((other) => other.group === group && other !== command)
    .map((other) => `${other.path.replaceAll(' ', '-')}(1)`);
  const list = (title: string, items: [string, string][]): ManSection[] =>
    items.length === 0 ? [] : [{ title, blocks: [{ kind: 'list', items }] }];
  const also = aliases.map((alias) => `golem ${group === undefined ? '' : `${group} `}${alias}`);
  const sections: ManSection[] = [
    { title: 'EXAMPLES', blocks: [{ kind: 'code', lines: examples }] },
    {
      title: 'SYNOPSIS',
      blocks: [{ kind: 'text', text: `${path} [options] ${usage}`.trimEnd() }],
    },
    ...(about.length + also.length === 0
      ? []
      : [
          {
            title: 'DESCRIPTION',
            blocks: [
              ...about.map((text) => ({ kind: 'text' as const, text })),
              ...(also.length === 0
                ? []
                : [{ kind: 'text' as const, text: `The same as: ${also.join(', ')}.` }]),
            ],
          },
        ]),
    ...list('OPTIONS', optionItems(options)),
    ...list('OPTIONS OF ALL COMMANDS', optionItems(commonOptions)),
    { title: 'SEE ALSO', blocks: [{ kind: 'text', text: ['golem(1)', ...related].join(', ') }] },
  ];
  return manPage({ name, summary, sections }, version);
}

/** Exit codes, and the errors that end with each. */
function exitRows(): [string, string][] {
  return Object.entries(EXIT).map(([name, code]) => {
    const codes = Object.entries(ERRORS)
      .filter(([, { exit }]) => exit === code)
      .map(([error]) => error);
    const meaning = EXIT_MEANINGS[name as keyof typeof EXIT];
    return [String(code), codes.length === 0 ? `${meaning}.` : `${meaning}: ${codes.join(', ')}.`];
  });
}
