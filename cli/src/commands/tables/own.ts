/** What belongs to the person: key, settings, contexts, and how all that is. */
import type { Entry } from '../command.ts';

type Commands = Readonly<Record<string, Entry>>;

export const OWN: Commands = {};

export const KEY: Commands = {};

export const CONFIG: Commands = {};

export const CONTEXT: Commands = {};
