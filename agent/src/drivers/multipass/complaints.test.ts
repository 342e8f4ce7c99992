/** The words of Multipass on stderr, as its sources have them. */
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DriverError } from '../driver.ts';
import { complaintOf, failureOf, wordsOf } from './complaints.ts';

const NAME = 'golem-abcdefghijklmnopqrst';
const several = (words: string) => `The following errors occurred:\n${words}`;

test.each([
  ['absent', 2, `info failed: ${several(`instance "${NAME}" does not exist`)}\n`],
  ['absent', 2, `snapshot failed: instance "${NAME}" does not exist\n`],
  ['absent', 2, `start failed: instance(s) missing\nInstance '${NAME}' does not exist.\n`],
  ['absent', 2, settings('No such instance')],
  ['deleted', 2, `stop failed: ${several(`instance "${NAME}" is deleted`)}\n`],
  ['deleted', 2, `start failed: Instance '${NAME}' is deleted. Use 'recover' to recover it or\n`],
  ['deleted', 2, settings('Instance is deleted')],
  ['exists', 2, `launch failed: instance "${NAME}" already exists\n`],
  ['preparing', 2, `launch failed: instance "${NAME}" is being prepared\n`],
  ['preparing', 2, settings('instance is being prepared')],
  ['exists', 2, `snapshot failed: Snapshot already exists: ${NAME}.first\n`],
  ['no_snapshot', 2, `restore failed: No such snapshot: ${NAME}.first\n`],
  ['not_stopped', 2, 'snapshot failed: Multipass can only take snapshots of stopped instances.\n'],
  ['not_stopped', 2, 'restore failed: Multipass can only restore snapshots of stopped instances.'],
  ['not_stopped', 2, settings('Instance must be stopped for modification')],
  ['shrinks', 2, "set failed: Invalid setting 'local.x.disk=1G': Disk can only be expanded\n"],
  ['unsupported', 2, 'The snapshots feature is not implemented on this backend.\n'],
  ['timeout', 5, 'Timed out waiting for instance launch.\n'],
  ['timeout', 2, `launch failed: ${several(`${NAME}: timed out waiting for response`)}\n`],
  ['timeout', 2, `launch failed: ${several('timed out waiting for initialization to complete')}`],
  ['unreachable', 2, 'list failed: cannot connect to the multipass socket\n'],
  ['unreachable', 2, 'list failed: multipass socket access denied\n'],
  ['other', 1, "Error: invalid CPU count '0', need a positive integer value.\n"],
  ['other', 1, 'Could not load cloud-init configuration: yaml-cpp: error at line 5\n'],
  [
    'other',
    2,
    'launch failed: Invalid arguments supplied\nInvalid memory size value supplied: 1M.',
  ],
  ['other', 2, ''],
] as const)('takes for %s: %i %j', (complaint, code, stderr) => {
  expect(complaintOf(code, stderr, NAME)).toBe(complaint);
});

function settings(why: string): string {
  return `set failed: Cannot update instance settings; instance: ${NAME}; reason: ${why}\n`;
}

describe('absent', () => {
  test.each([
    [1, `info failed: instance "${NAME}" does not exist`],
    [0, `info failed: instance "${NAME}" does not exist`],
    [255, `info failed: instance "${NAME}" does not exist`],
    [2, 'info failed: instance "golem-another" does not exist'],
    [2, `info failed: instance "${NAME}x" does not exist`],
    [2, `warning: who says that instance "${NAME}" does not exist?`],
    [2, `cannot connect to the multipass socket\ninstance "${NAME}" does not exist`],
  ])('is not said by %i %j', (code, stderr) => {
    expect(complaintOf(code, stderr, NAME)).not.toBe('absent');
  });

  test('is said by nothing but its own line', () => {
    fc.assert(
      fc.property(fc.string(), fc.integer({ min: 0, max: 255 }), (stderr, code) => {
        expect(complaintOf(code, stderr, NAME)).not.toBe('absent');
      }),
      { numRuns: 2000 },
    );
  });
});

describe('the words for people', () => {
  test('have no path, no spinner and no end', () => {
    const spun = '\u001b[2K\u001b[0A\u001b[0E\b|launch failed: Custom image `/a/b/c.img` missing\n';
    expect(wordsOf(spun)).toBe('Custom image `c.img` missing');
    expect(wordsOf('launch failed: file:///home/me/secret/disk.img is bad')).toBe(
      'disk.img is bad',
    );
    expect(wordsOf(several('one\ntwo'))).toBe('one two');
    expect(wordsOf('x'.repeat(5000))).toHaveLength(200);
  });

  test('are an error whatever happened, and none when all went well', () => {
    const done = { how: 'exited', code: 0, stdout: '', stderr: 'a warning' } as const;
    expect(failureOf(done, NAME)).toBeUndefined();
    for (const how of ['crashed', 'timeout', 'aborted', 'flooded', 'missing'] as const) {
      expect(failureOf({ how }, NAME)?.error).toBeInstanceOf(DriverError);
      expect(failureOf({ how }, NAME)?.complaint).toBe('other');
    }
    const silent = { how: 'exited', code: 3, stdout: '', stderr: '' } as const;
    expect(failureOf(silent, NAME)?.error.message).toBe('Multipass: it ended with 3');
  });
});
