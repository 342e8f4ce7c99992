/** Names for completion, out of the names of files: nothing is read that would have to be checked. */
import { pathsFrom } from '../state/paths.ts';
import type { Names } from './complete.ts';

// An import of it would load Node's streams as well.
const { readdirSync } = process.getBuiltinModule('node:fs');

export function namesFrom(env: Readonly<Record<string, string | undefined>>): Names {
  return {
    vms: () => jsonFiles(pathsFrom(env).vms),
    contexts: () => [],
    settings: () => [],
  };
}

function jsonFiles(folder: string): string[] {
  try {
    return readdirSync(folder)
      .filter((file) => file.endsWith('.json'))
      .map((file) => file.slice(0, -'.json'.length))
      .sort();
  } catch (error) {
    // Whoever has rented nothing yet has no folder, and there is nothing to be done about any other.
    if (error instanceof Error && 'code' in error) return [];
    throw error;
  }
}
