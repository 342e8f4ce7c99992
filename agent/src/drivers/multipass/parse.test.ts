/** What Multipass answers, in its own layout, and what it never answered. */
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseInfo, parseList, parseSetting, parseSnapshots, parseVersion } from './parse.ts';

const LIST = `{
    "list": [
        {
            "ipv4": [
                "10.1.2.3",
                "172.17.0.1"
            ],
            "name": "foo",
            "release": "Ubuntu 24.04 LTS",
            "state": "Running"
        },
        {
            "ipv4": [
            ],
            "name": "gone",
            "release": "Not Available",
            "state": "Deleted"
        },
        {
            "ipv4": [
                "N/A"
            ],
            "name": "young",
            "release": "Ubuntu 24.04 LTS",
            "state": "Running"
        }
    ]
}
`;

const INFO = `{
    "errors": [
    ],
    "info": {
        "foo": {
            "cpu_count": "1",
            "disks": {
                "sda1": {
                    "total": "5153960756",
                    "used": "1288490188"
                }
            },
            "image_hash": "1e2c8b9f1b2a",
            "image_release": "24.04 LTS",
            "ipv4": [
                "10.1.2.3"
            ],
            "load": [
                0.45,
                0.51,
                0.15
            ],
            "memory": {
                "total": 1503238554,
                "used": 60817408
            },
            "mounts": {
            },
            "release": "Ubuntu 24.04.1 LTS",
            "snapshot_count": "0",
            "state": "Running"
        }
    }
}
`;

const STOPPED = `{
    "errors": [
    ],
    "info": {
        "foo": {
            "cpu_count": "",
            "disks": {
                "sda1": {
                }
            },
            "image_hash": "1e2c8b9f1b2a",
            "image_release": "24.04 LTS",
            "ipv4": [
            ],
            "load": [
            ],
            "memory": {
            },
            "mounts": {
            },
            "release": "",
            "state": "Stopped"
        }
    }
}
`;

const SNAPSHOTS = `{
    "errors": [
    ],
    "info": {
        "foo": {
            "snapshots": {
                "first": {
                    "children": [
                        "second"
                    ],
                    "comment": "",
                    "cpu_count": "1",
                    "created": "Thu Jan 1 00:00:07 1970 UTC",
                    "disk_space": "5368709120",
                    "memory_size": "1073741824",
                    "mounts": {
                    },
                    "parent": "",
                    "size": "1.2GiB"
                },
                "second": {
                    "created": "dim. 1 févr. 2026 10:00:00 CET",
                    "parent": "first"
                }
            }
        }
    }
}
`;

const state = (word: string) =>
  parseInfo(JSON.stringify({ info: { foo: { state: word, ipv4: [] } } }), 'foo');

describe('list', () => {
  test('has everybody by name, deleted ones as well', () => {
    expect(parseList(LIST)).toEqual(
      new Map([
        ['foo', { state: 'running', deleted: false, address: '10.1.2.3' }],
        ['gone', { state: 'stopped', deleted: true, address: undefined }],
        ['young', { state: 'running', deleted: false, address: undefined }],
      ]),
    );
  });

  test('may be empty, as Qt prints that', () => {
    expect(parseList('{\n    "list": [\n    ]\n}\n')).toEqual(new Map());
  });

  test('of a later version has more fields', () => {
    const later = '{"list":[{"name":"a","state":"Unavailable","zone":{"name":"z1"},"ipv4":7}]}';
    expect(parseList(later)).toEqual(
      new Map([['a', { state: 'unknown', deleted: false, address: undefined }]]),
    );
  });
});

describe('info', () => {
  test('of a running and of a stopped instance', () => {
    expect(parseInfo(INFO, 'foo')).toEqual({
      ...{ state: 'running', deleted: false, address: '10.1.2.3' },
    });
    expect(parseInfo(STOPPED, 'foo')).toEqual({
      ...{ state: 'stopped', deleted: false, address: undefined },
    });
  });

  test('takes no address but the first: the guest makes up the others', () => {
    const shown = { state: 'Running', ipv4: ['N/A', '172.17.0.1'] };
    expect(parseInfo(JSON.stringify({ info: { foo: shown } }), 'foo')?.address).toBeUndefined();
  });

  test('of another instance is no answer', () => {
    expect(parseInfo(INFO, 'bar')).toBeUndefined();
    expect(parseInfo(INFO, 'toString')).toBeUndefined();
    expect(parseInfo(INFO, '__proto__')).toBeUndefined();
  });

  test.each([
    ['Running', 'running'],
    ['Starting', 'running'],
    ['Restarting', 'running'],
    ['Delayed Shutdown', 'running'],
    ['Stopped', 'stopped'],
    ['Deleted', 'stopped'],
    ['Suspended', 'suspended'],
    ['Suspending', 'unknown'],
    ['Unknown', 'unknown'],
    ['Unavailable', 'unknown'],
    ['Hibernating', 'unknown'],
    ['', 'unknown'],
  ])('takes the state %j for %s', (word, expected) => {
    expect(state(word)?.state).toBe(expected);
  });

  test('that is cut off anywhere is no answer', () => {
    for (let end = 0; end < INFO.trimEnd().length; end += 1) {
      expect(parseInfo(INFO.slice(0, end), 'foo')).toBeUndefined();
    }
  });
});

describe('info --snapshots', () => {
  test('says when each was taken, where its time can be read', () => {
    expect(parseSnapshots(SNAPSHOTS, 'foo')).toEqual(
      new Map([
        ['first', 7000],
        ['second', 0],
      ]),
    );
  });

  test('of an instance without any', () => {
    expect(parseSnapshots('{"info":{"foo":{"snapshots":{\n}}}}', 'foo')).toEqual(new Map());
    expect(parseSnapshots('{"info":{"foo":{}}}', 'foo')).toEqual(new Map());
    expect(parseSnapshots('{"info":{}}', 'foo')).toBeUndefined();
  });
});

describe('version and settings', () => {
  test('without multipassd no daemon runs', () => {
    expect(parseVersion('{\n    "multipass": "1.16.3",\n    "multipassd": "1.16.3"\n}\n')).toEqual({
      daemon: '1.16.3',
    });
    expect(parseVersion('{\n    "multipass": "1.16.3"\n}\n')).toEqual({ daemon: undefined });
    expect(parseVersion('multipass   1.16.3\n')).toBeUndefined();
  });

  test('of one word', () => {
    expect(parseSetting('qemu\n')).toBe('qemu');
    expect(parseSetting('<empty>\n')).toBeUndefined();
    expect(parseSetting('')).toBeUndefined();
  });
});

test('nothing makes a parser throw, and nothing makes it say that a guest is not there', () => {
  const anything = fc.oneof(
    fc.string(),
    fc.json(),
    fc.json().map((json) => `{"info":{"foo":${json}}}`),
    fc.json().map((json) => `{"info":{"foo":{"state":"Running","ipv4":${json}}}}`),
    fc.json().map((json) => `{"list":[${json},{"name":"foo","state":${json}}]}`),
    fc.json().map((json) => `{"info":{"foo":{"snapshots":${json}}}}`),
  );
  const states = [undefined, 'running', 'stopped', 'suspended', 'unknown'];
  fc.assert(
    fc.property(anything, (stdout) => {
      expect(states).toContain(parseInfo(stdout, 'foo')?.state);
      for (const sight of parseList(stdout)?.values() ?? []) expect(states).toContain(sight.state);
      for (const time of parseSnapshots(stdout, 'foo')?.values() ?? []) {
        expect(time).toBeGreaterThanOrEqual(0);
      }
      expect(parseVersion(stdout)?.daemon ?? '').toBeTypeOf('string');
      expect(parseSetting(stdout) ?? 'qemu').toMatch(/^[a-z0-9_-]+$/);
    }),
    { numRuns: 2000 },
  );
});
