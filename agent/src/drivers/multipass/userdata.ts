/** The guest's seed, as the one document that Multipass takes. Pure. */
import { Document, parse, visit } from 'yaml';
import * as z from 'zod';
import { DriverError, type GuestSeed } from '../driver.ts';

const configSchema = z.record(z.string(), z.unknown());
const metaDataSchema = z.object({ 'local-hostname': z.string() });

/**
 * Cloud-config for `launch --cloud-init -`. Multipass writes the meta-data itself, so that the host
 * name has to come from here. It also reads this and writes it anew, without quotes: `"0700"` or
 * `"yes"` would reach the guest as a number and a truth. A string that could be anything else has its
 * type written before it, which Multipass keeps.
 * @throws {DriverError} `failed` when the seed is no cloud-config
 */
export function cloudConfig(seed: GuestSeed): string {
  try {
    const config = configSchema.parse(parse(seed.userData, { version: '1.1' }));
    const { 'local-hostname': hostname } = metaDataSchema.parse(
      parse(seed.metaData, { version: '1.1' }),
    );
    const document = new Document(
      { hostname, ...config },
      { version: '1.1', aliasDuplicateObjects: false },
    );
    visit(document, {
      Scalar: (_key, node) => {
        if (typeof node.value === 'string' && !isSurelyText(node.value))
          node.tag = 'tag:yaml.org,2002:str';
      },
    });
    return document.toString({ lineWidth: 0, collectionStyle: 'block', blockQuote: 'literal' });
  } catch (cause) {
    throw new DriverError('failed', 'The guest cannot make sense of its seed.', { cause });
  }
}

const WORDS = /^(?:y|n|yes|no|on|off|true|false|null)$/i;

/** Whether no reader of YAML takes this for anything but text when it has no quotes. */
function isSurelyText(value: string): boolean {
  // What has several lines is written in quotes by everybody.
  if (value.includes('\n')) return true;
  return /^[a-z_/]/i.test(value) && !WORDS.test(value);
}
