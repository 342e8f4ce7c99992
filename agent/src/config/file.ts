/**
 * The configuration file: TOML, one key for each setting and no tables. It is read with the line of
 * every key, so that an error can name it, and changed in place, so that comments stay.
 */
import { readFileSync } from 'node:fs';
import { GolemError } from '@vm-on-golem/shared/errors';
import { closest } from '@vm-on-golem/shared/suggest';
import { ParseError, parseTOML, type AST } from 'toml-eslint-parser';
import { isSettingName, settingOf, SETTING_NAMES, type SettingName } from './settings.ts';

/** Larger than every setting with a page of comments for each. */
const MAX_BYTES = 256 * 1024;

export interface FileEntry {
  /** As it would be typed; a list for settings that may be repeated. */
  readonly text: string | readonly string[];
  /** From 1. */
  readonly line: number;
  /** Where the value stands in the file's text. */
  readonly range: readonly [number, number];
  /** Where its name begins. */
  readonly start: number;
}
export type FileEntries = Readonly<Partial<Record<SettingName, FileEntry>>>;

/** @throws {GolemError} `usage` naming file and line */
export function readConfigFile(file: string): FileEntries {
  return parseConfig(readContent(file), file);
}

/** @throws {GolemError} `usage` */
function readContent(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new GolemError('usage', `The configuration cannot be read: ${messageOf(cause)}`, {
      cause,
      hint: 'golem-provider init writes one.',
    });
  }
}

/**
 * One setting of a file that may be wrong elsewhere: a slip in one line must not keep an operator from
 * the agent that another line leads to.
 * @param warn told what is wrong elsewhere
 * @throws {GolemError} `usage` when the file cannot be read, or this setting is what is wrong
 */
export function readOneSetting(
  file: string,
  name: SettingName,
  warn: (problem: GolemError) => void,
): FileEntry | undefined {
  const content = readContent(file);
  try {
    return parseConfig(content, file)[name];
  } catch (error) {
    if (!(error instanceof GolemError)) throw error;
    const lines = content.split('\n');
    const at = lines.findIndex((line) => beginsWith(line, name));
    // Empty lines before it keep its number.
    const entry = at < 0 ? undefined : parseConfig('\n'.repeat(at) + lines[at], file)[name];
    warn(error);
    return entry;
  }
}

function beginsWith(line: string, name: SettingName): boolean {
  const [key = '', ...rest] = line.split('=');
  return rest.length > 0 && [name, `"${name}"`, `'${name}'`].includes(key.trim());
}

/** @param file for messages */
export function parseConfig(content: string, file: string): FileEntries {
  if (content.length > MAX_BYTES) {
    throw new GolemError('usage', `${file} is no configuration: it is larger than 256 KiB.`);
  }
  const entries: Partial<Record<SettingName, FileEntry>> = {};
  for (const node of parse(content, file).body[0].body) {
    const { line } = node.loc.start;
    const keys = node.key.keys.map((key) => (key.type === 'TOMLBare' ? key.name : key.value));
    const [name = ''] = keys;
    if (node.type === 'TOMLTable' || keys.length > 1) {
      throw new GolemError('usage', `${file}:${line}: '${keys.join('.')}' is a table.`, {
        hint: 'Every setting is a line of its own, such as: cpus = 4',
      });
    }
    if (!isSettingName(name)) throw unknownKey(name, `${file}:${line}`);
    entries[name] = {
      text: textOf(name, node.value, `${file}:${line}`),
      line,
      range: node.value.range,
      start: node.range[0],
    };
  }
  return entries;
}

/** @returns the file's text with the setting in its place, or at its end; all else stays as it is */
export function withSetting(
  content: string,
  name: SettingName,
  value: string,
  file: string,
): string {
  const entry = parseConfig(content, file)[name];
  const written = writtenValue(name, value);
  if (entry) return content.slice(0, entry.range[0]) + written + content.slice(entry.range[1]);
  const separator = content === '' || content.endsWith('\n') ? '' : '\n';
  return `${content}${separator}${name} = ${written}\n`;
}

/**
 * @returns the file's text without the lines of the setting, and of what stands behind it
 * @throws {GolemError} `not_found` when it is not there
 */
export function withoutSetting(content: string, name: SettingName, file: string): string {
  const entry = parseConfig(content, file)[name];
  if (!entry) throw new GolemError('not_found', `${file} says nothing of ${name}.`);
  const before = content.slice(0, entry.start);
  const end = content.indexOf('\n', entry.range[1]);
  const after = end < 0 ? '' : content.slice(end + 1);
  return before.slice(0, before.lastIndexOf('\n') + 1) + after;
}

/** `value` as TOML: numbers and switches bare, everything else as a string. */
export function writtenValue(name: SettingName, value: string): string {
  const { multiple, value: placeholder } = settingOf(name);
  if (multiple) return `[${value === '' ? '' : value.split(',').map(quoted).join(', ')}]`;
  if (placeholder === undefined || /^(?:0|[1-9]\d{0,8})(?:\.\d{1,9})?$/.test(value)) return value;
  return quoted(value);
}

/** JSON's strings are TOML's basic strings, but for one character that TOML wants escaped. */
function quoted(value: string): string {
  return JSON.stringify(value).replaceAll('\u007f', '\\u007f');
}

function parse(content: string, file: string): AST.TOMLProgram {
  try {
    return parseTOML(content, { tomlVersion: '1.0' });
  } catch (cause) {
    if (!(cause instanceof ParseError)) throw cause;
    const { lineNumber, column, message } = cause;
    throw new GolemError('usage', `${file}:${lineNumber}:${column + 1}: ${message}.`, { cause });
  }
}

function textOf(name: SettingName, node: AST.TOMLContentNode, where: string): string | string[] {
  const { multiple, value: placeholder } = settingOf(name);
  if (multiple) {
    const nodes = node.type === 'TOMLArray' ? node.elements : [node];
    return nodes.map((element) => scalar(element) ?? wrongType(name, where, 'a list of strings'));
  }
  const isSwitch = node.type === 'TOMLValue' && node.kind === 'boolean';
  if (placeholder === undefined && !isSwitch) return wrongType(name, where, 'true or false');
  return scalar(node) ?? wrongType(name, where, 'a string or a number');
}

/** A number as it was written: 0.0000001 must not become 1e-7 on the way. */
function scalar(node: AST.TOMLContentNode): string | undefined {
  if (node.type !== 'TOMLValue') return undefined;
  if (node.kind === 'string') return node.value;
  if (node.kind === 'integer' || node.kind === 'float') return node.number;
  return node.kind === 'boolean' ? String(node.value) : undefined;
}

function wrongType(name: string, where: string, wanted: string): never {
  throw new GolemError('usage', `${where}: ${name} must be ${wanted}.`);
}

function unknownKey(name: string, where: string): GolemError {
  const near = closest(name, SETTING_NAMES);
  return new GolemError('usage', `${where}: there is no setting '${name}'.`, {
    hint: near === undefined ? 'See golem-provider start --help.' : `Did you mean ${near}?`,
  });
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
