/**
 * What is remembered of VMs, read without schemas and without a lock: for what is printed at once
 * and decides nothing. Everything else reads the book.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Rental } from '../sdk/ports.ts';

/** In the order of their names; a file that is not what it should be is left out. */
export function readCached(folder: string): Rental[] {
  return filesOf(folder)
    .map((file) => rentalOf(join(folder, file)))
    .filter((rental) => rental !== undefined);
}

/** Names alone, by the names of their files: for completion. */
export function cachedNames(folder: string): string[] {
  return filesOf(folder).map((file) => file.slice(0, -'.json'.length));
}

function filesOf(folder: string): string[] {
  try {
    return readdirSync(folder)
      .filter((file) => file.endsWith('.json'))
      .sort();
  } catch (error) {
    // Nothing was ever rented from here.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

function rentalOf(path: string): Rental | undefined {
  let json: unknown;
  try {
    json = JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    // Gone meanwhile, or damaged: `golem doctor` and every other command say so.
    return undefined;
  }
  return isRental(json) ? json : undefined;
}

function isRental(json: unknown): json is Rental {
  if (!isRecord(json) || typeof json['name'] !== 'string') return false;
  if (typeof json['provider'] !== 'string') return false;
  const { vm } = json;
  if (vm === undefined) return true;
  return (
    isRecord(vm) &&
    ['id', 'name', 'state', 'image', 'createdAt'].every((key) => typeof vm[key] === 'string') &&
    isRecord(vm['resources']) &&
    typeof vm['hourlyPrice'] === 'number'
  );
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
