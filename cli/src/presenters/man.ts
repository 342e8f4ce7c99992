/** Pages of the manual, in the macros of man(7). Pure. */
import { optionText, type OptionHelp } from './help.ts';

export interface ManPage {
  /** Words with dashes: `golem-vm-create`. */
  readonly name: string;
  readonly summary: string;
  readonly sections: readonly ManSection[];
}

export interface ManSection {
  readonly title: string;
  readonly blocks: readonly ManBlock[];
}

export type ManBlock =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'code'; readonly lines: readonly string[] }
  | { readonly kind: 'list'; readonly items: readonly (readonly [term: string, text: string])[] };

/** @param date of the version, as pages of the manual carry one; empty where there is none */
export function manPage({ name, summary, sections }: ManPage, version: string, date = ''): string {
  return [
    `.TH ${quoted(name.toUpperCase())} 1 ${quoted(date)} ${quoted(`golem ${version}`)} "VM on Golem"`,
    '.SH NAME',
    `${escaped(name)} \\- ${escaped(summary)}`,
    ...sections.flatMap(({ title, blocks }) => [
      `.SH ${quoted(title)}`,
      ...blocks.flatMap((block, at) => [
        // A heading begins a paragraph by itself.
        ...(at > 0 && block.kind !== 'list' ? ['.PP'] : []),
        ...linesOf(block),
      ]),
    ]),
    '',
  ].join('\n');
}

export function optionItems(options: readonly OptionHelp[]): [string, string][] {
  return options.map((option) => {
    const { name, short, value } = option;
    const argument = value === undefined ? '' : ` ${value}`;
    return [`${short === undefined ? '' : `-${short}, `}--${name}${argument}`, optionText(option)];
  });
}

function linesOf(block: ManBlock): string[] {
  if (block.kind === 'text') return [escaped(block.text)];
  if (block.kind === 'code') return ['.nf', ...block.lines.map(escaped), '.fi'];
  return block.items.flatMap(([term, text]) => ['.TP', `\\fB${escaped(term)}\\fR`, escaped(text)]);
}

/** A backslash, a dash that is no hyphen, quotes that are none of a printer, and what begins a request. */
function escaped(text: string): string {
  const characters = text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll("'", '\\(aq')
    .replaceAll('`', '\\(ga')
    .replaceAll('^', '\\(ha')
    .replaceAll('~', '\\(ti');
  return characters.startsWith('.') ? `\\&${characters}` : characters;
}

function quoted(text: string): string {
  return `"${escaped(text).replaceAll('"', '\\(dq')}"`;
}
