/** The text of `--help`, wherever it is asked. */
import type { Command } from '../commands/command.ts';
import { FIRST_EXAMPLES } from '../commands/index.ts';
import { commandHelp, groupHelp, type SectionHelp } from '../presenters/help.ts';
import { COMMON_OPTIONS, optionsOf } from './common.ts';
import type { Route, Tree } from './tree.ts';

export async function helpFor(tree: Tree, found: Route): Promise<string> {
  return `${(await linesFor(tree, found)).join('\n')}\n`;
}

async function linesFor(tree: Tree, found: Route): Promise<string[]> {
  if (found.kind === 'help') return helpOfAll(tree);
  if (found.kind === 'group') return helpOfGroup(tree, found.name);
  const { path, entry } = found;
  return helpOf(path, entry.summary, entry.aliases ?? [], await entry.load());
}

/** @param path the words that call it: `golem vm create` */
function helpOf(
  path: string,
  summary: string,
  aliases: readonly string[],
  { usage, examples, options }: Command,
): string[] {
  const all = optionsOf(options);
  const commonOptions = all.slice(options.length);
  return commandHelp({ words: path, summary, aliases, usage, examples, options, commonOptions });
}

function helpOfAll({ groups, top }: Tree): string[] {
  const words = Object.entries(groups)
    .filter(([, { sections }]) => sections.some(({ commands }) => Object.keys(commands).length > 0))
    .map(([name, { summary }]) => ({ name, summary }));
  return groupHelp({
    words: 'golem',
    summary: 'rent a VM as easily as ordering a pizza',
    examples: FIRST_EXAMPLES,
    sections: [{ title: 'Groups', commands: words }, sectionHelp(top)],
    commonOptions: COMMON_OPTIONS,
    more: "'golem GROUP' lists what is in a group; 'golem GROUP COMMAND --help' tells more.",
  });
}

function helpOfGroup({ groups }: Tree, name: string): string[] {
  const group = groups[name];
  if (!group) return [];
  const { summary, examples, sections } = group;
  return groupHelp({
    words: `golem ${name}`,
    summary,
    examples,
    sections: sections.map(sectionHelp),
    more: `'golem ${name} COMMAND --help' tells more.`,
  });
}

function sectionHelp({ title, commands }: Tree['top']): SectionHelp {
  const rows = Object.entries(commands).map(([name, { summary }]) => ({ name, summary }));
  return { title, commands: rows };
}
