/** Which setting a word means, and whether a text can be its value. */
import { GolemError } from '@vm-on-golem/shared/errors';
import { closest } from '@vm-on-golem/shared/suggest';
import { SETTINGS, type Setting } from '../../state/settings.ts';
import { readRelaySettings } from '../../tunnel/settings.ts';

/** @throws {GolemError} `usage` */
export function settingOf(name: string): Setting {
  const setting = SETTINGS.find((each) => each.name === name);
  if (setting) return setting;
  const names = SETTINGS.map((each) => each.name);
  const guess = closest(name, names);
  throw new GolemError('usage', `There is no setting '${name}'.`, {
    hint: guess ? `Did you mean ${guess}?` : `There are ${names.join(', ')}.`,
  });
}

/** @throws {GolemError} `usage` for a text that cannot be its value */
export function checkValue({ name, variable }: Setting, text: string): void {
  if (name === 'discovery') checkUrl(text);
  else readRelaySettings({ [variable]: text }, name);
}

/** @throws {GolemError} `usage` */
export function checkUrl(text: string): void {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url && ['http:', 'https:'].includes(url.protocol)) return;
  throw new GolemError('usage', `'${text}' is not the URL of a discovery service.`, {
    hint: 'It is like https://discovery.example.',
  });
}
