/** The catalogue against a publisher on loopback, and against folders of built images. */
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rename, rm, utimes, writeFile } from 'node:fs/promises';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { imageIdSchema } from '@vm-on-golem/shared/vm';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openCatalogue, type Catalogue, type CatalogueOptions } from '../src/images/catalogue.ts';
import { OFFICIAL_IMAGES } from '../src/images/official.ts';
import { AGENT_LIMITS } from '../src/limits.ts';

const content = randomBytes(300_000);
const digest = (bytes: Buffer, algorithm = 'sha512') =>
  createHash(algorithm).update(bytes).digest('hex');
const signal = () => AbortSignal.timeout(10_000);
const bounds = { ...AGENT_LIMITS.images, fileBytes: 1024 * 1024, stallMillis: 200 };

let scratch: string;
let cacheDir: string;
beforeEach(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'golem-'));
  cacheDir = join(scratch, 'cache');
});
afterEach(() => rm(scratch, { recursive: true }));

describe('official images', () => {
  /** Paths that were asked for. */
  let requests: string[];
  let server: Server;
  let origin: string;
  /** What the publisher does other than to serve the image and its checksum. */
  let routes: Record<string, RequestListener>;

  beforeEach(async () => {
    requests = [];
    routes = {
      '/latest/SHA512SUMS': (_request, response) => response.end(`${digest(content)}  disk.img\n`),
      '/latest/disk.img': (_request, response) => response.end(content),
    };
    server = createServer((request, response) => {
      requests.push(request.url ?? '');
      const route = routes[request.url ?? ''];
      if (route) route(request, response);
      else response.writeHead(404).end();
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterEach(() => {
    server.closeAllConnections();
    server.close();
  });

  const open = (
    url = `${origin}/latest/disk.img`,
    room: CatalogueOptions['room'] = {},
  ): Promise<Catalogue> =>
    openCatalogue({
      cacheDir,
      room,
      localDirs: [],
      arch: 'x86_64',
      publishers: [
        {
          id: 'debian-12',
          arch: 'x86_64',
          user: 'debian',
          minMemoryMiB: 256,
          url,
          checksums: { file: 'SHA512SUMS', algorithm: 'sha512' },
        },
      ],
      bounds,
    });
  /** What a resolve that fails says. It must leave nothing in the cache. */
  const failureOf = async (catalogue: Catalogue) => {
    const failure: unknown = await catalogue
      .resolve('debian-12', signal())
      .catch((e: unknown) => e);
    expect(await readdir(cacheDir)).toEqual([]);
    expect(failure).toMatchObject({ name: 'GolemError', code: 'launch_failed' });
    return (failure as Error).message;
  };

  test('are fetched once, checked and kept', async () => {
    const image = await (await open()).resolve('debian-12', signal());
    expect(image).toMatchObject({ id: 'debian-12', user: 'debian', minMemoryMiB: 256 });
    expect(await readFile(image.disk)).toEqual(content);
    expect(requests).toEqual(['/latest/SHA512SUMS', '/latest/disk.img']);

    server.closeAllConnections();
    server.close();
    const again = await (await open()).resolve('debian-12', signal());
    expect(again.disk).toBe(image.disk);
  });

  test('are fetched once for all who wait', async () => {
    const catalogue = await open();
    const images = await Promise.all([1, 2, 3].map(() => catalogue.resolve('debian-12', signal())));
    expect(new Set(images.map(({ disk }) => disk)).size).toBe(1);
    expect(requests).toHaveLength(2);
  });

  test('are not begun when the disk has no room for them, and make room when it has some', async () => {
    const full = await open(undefined, { floorBytes: () => Number.MAX_SAFE_INTEGER });
    expect(await failureOf(full)).toContain('no room on its disk');
    const old = join(cacheDir, `sha512-${'a'.repeat(128)}.qcow2`);
    await writeFile(old, content);
    await utimes(old, 1, 1);
    const { disk } = await (
      await open(undefined, { maxBytes: () => 500_000 })
    ).resolve('debian-12', signal());
    expect((await readdir(cacheDir)).filter((name) => name.endsWith('.qcow2'))).toEqual([
      disk.slice(cacheDir.length + 1),
    ]);
  });

  test('follow a redirect', async () => {
    routes['/mirror/disk.img'] = routes['/latest/disk.img']!;
    routes['/latest/disk.img'] = (_request, response) =>
      response.writeHead(302, { location: '../mirror/disk.img' }).end();
    const { disk } = await (await open()).resolve('debian-12', signal());
    expect(await readFile(disk)).toEqual(content);
  });

  test('with another content than their publisher says are refused', async () => {
    routes['/latest/disk.img'] = (_request, response) => response.end('something else');
    expect(await failureOf(await open())).toMatch(/not the one in its publisher's list/);
  });

  test('that end too early are refused', async () => {
    routes['/latest/disk.img'] = (_request, response) => {
      response.writeHead(200, { 'content-length': content.length });
      response.write(content.subarray(0, 1000), () => response.destroy());
    };
    expect(await failureOf(await open())).toMatch(/broke off/);
  });

  test('whose publisher does not list them are refused', async () => {
    routes['/latest/SHA512SUMS'] = (_request, response) =>
      response.end(`${digest(content)}  other.img\n`);
    expect(await failureOf(await open())).toMatch(/does not name the image debian-12/);
    expect(requests).toEqual(['/latest/SHA512SUMS']);
  });

  test('that are not there are refused', async () => {
    delete routes['/latest/disk.img'];
    expect(await failureOf(await open())).toMatch(/answered 404 for \/latest\/disk\.img/);
  });

  test.each([
    ['announced', (): Record<string, number> => ({ 'content-length': bounds.fileBytes + 1 })],
    ['unannounced', () => ({})],
  ])('that are too large (%s) are refused', async (_how, headers) => {
    routes['/latest/disk.img'] = (_request, response) => {
      response.writeHead(200, headers());
      response.end(Buffer.alloc(bounds.fileBytes + 1));
    };
    expect(await failureOf(await open())).toMatch(/larger than 1 MiB/);
  });

  test('whose publisher sends on in circles are refused', async () => {
    routes['/latest/disk.img'] = (_request, response) =>
      response.writeHead(302, { location: '/latest/disk.img' }).end();
    expect(await failureOf(await open())).toMatch(/sends on and on/);
    expect(requests).toHaveLength(2 + bounds.redirects);
  });

  test('whose publisher sends on to where anyone could listen are refused', async () => {
    routes['/latest/disk.img'] = (_request, response) =>
      response.writeHead(302, { location: 'http://192.0.2.1/disk.img' }).end();
    expect(await failureOf(await open())).toMatch(/https alone/);
    expect(await failureOf(await open('http://192.0.2.1/disk.img'))).toMatch(/https alone/);
    expect(await failureOf(await open('file:///etc/passwd'))).toMatch(/https alone/);
  });

  test('whose publisher falls silent are refused', async () => {
    routes['/latest/disk.img'] = (_request, response) => {
      response.writeHead(200, { 'content-length': content.length });
      response.write(content.subarray(0, 1000));
    };
    expect(await failureOf(await open())).toMatch(/Nothing more came/);
  });

  test('whose publisher is down are refused', async () => {
    const catalogue = await open();
    server.close();
    expect(await failureOf(catalogue)).toMatch(/cannot be reached/);
  });

  test('leave nothing behind when the wait for them is stopped', async () => {
    const abort = new AbortController();
    routes['/latest/disk.img'] = (_request, response) => {
      response.writeHead(200, { 'content-length': content.length });
      response.write(content.subarray(0, 1000), () => abort.abort());
    };
    const catalogue = await open();
    await expect(catalogue.resolve('debian-12', abort.signal)).rejects.toMatchObject({
      name: 'DriverError',
      code: 'aborted',
    });
    expect(await readdir(cacheDir)).toEqual([]);
  });

  test('that were damaged on this disk are fetched again', async () => {
    const { disk } = await (await open()).resolve('debian-12', signal());
    await writeFile(disk, 'damaged');
    for (const name of await readdir(cacheDir)) {
      if (name.endsWith('.json')) await writeFile(join(cacheDir, name), '{');
    }
    const image = await (await open()).resolve('debian-12', signal());
    expect(image.disk).toBe(disk);
    expect(await readFile(disk)).toEqual(content);
  });

  test('that were left half-fetched long ago are removed at the next start', async () => {
    await mkdir(cacheDir);
    await writeFile(join(cacheDir, 'fresh.part'), '');
    await writeFile(join(cacheDir, 'old.part'), '');
    const longAgo = Date.now() / 1000 - 2 * 24 * 3600;
    await utimes(join(cacheDir, 'old.part'), longAgo, longAgo);
    await open();
    expect(await readdir(cacheDir)).toEqual(['fresh.part']);
  });

  test('all have an id that an offer can carry, an https address and their own list', () => {
    for (const image of OFFICIAL_IMAGES) {
      expect(imageIdSchema.parse(image.id)).toBe(image.id);
      expect(new URL(image.url).protocol).toBe('https:');
    }
    const names = OFFICIAL_IMAGES.map(({ id, arch }) => `${id} ${arch}`);
    expect(new Set(names).size).toBe(8);
  });
});

describe('images that were built here', () => {
  let folder: string;
  const disk = Buffer.from('a disk');
  const kernel = Buffer.from('a kernel');
  const initrd = Buffer.from('an initrd');

  const manifest = () => ({
    version: 1,
    id: 'tiny',
    arch: 'x86_64',
    user: 'root',
    minMemoryMiB: 128,
    readyMarker: 'ready',
    disk: { file: 'disk.qcow2', sha256: digest(disk, 'sha256') },
    kernel: {
      vmlinuz: { file: 'vmlinuz', sha256: digest(kernel, 'sha256') },
      initrd: { file: 'initrd', sha256: digest(initrd, 'sha256') },
      append: 'console=ttyS0',
    },
    packages: { 'linux-image': '6.1' },
  });
  const write = async (value: unknown, into = folder) => {
    await mkdir(into, { recursive: true });
    await writeFile(join(into, 'disk.qcow2'), disk);
    await writeFile(join(into, 'vmlinuz'), kernel);
    await writeFile(join(into, 'initrd'), initrd);
    await writeFile(
      join(into, 'image.json'),
      typeof value === 'string' ? value : JSON.stringify(value),
    );
  };
  const open = (localDirs = [folder]) =>
    openCatalogue({ cacheDir, localDirs, official: false, arch: 'x86_64' });

  beforeEach(() => {
    folder = join(scratch, 'images', 'tiny');
  });

  test('are offered and resolved with all of their files', async () => {
    await write(manifest());
    const catalogue = await open();
    expect(catalogue.list()).toEqual([
      { id: 'tiny', arch: 'x86_64', user: 'root', minMemoryMiB: 128, origin: 'local' },
    ]);
    const image = await catalogue.resolve('tiny', signal());
    expect(image).toMatchObject({
      id: 'tiny',
      readyMarker: 'ready',
      kernel: { append: 'console=ttyS0' },
    });
    expect(await readFile(image.disk)).toEqual(disk);
    expect(await readFile(image.kernel?.vmlinuz ?? '')).toEqual(kernel);
    expect(await readFile(image.kernel?.initrd ?? '')).toEqual(initrd);
  });

  test('are found one level down, next to the official ones, for this architecture', async () => {
    await write(manifest());
    await write(
      { ...manifest(), id: 'tiny-arm', arch: 'aarch64' },
      join(scratch, 'images', 'tiny-arm'),
    );
    const localDirs = [join(scratch, 'images')];
    const catalogue = await openCatalogue({ cacheDir, localDirs, arch: 'x86_64' });
    expect(catalogue.list().map(({ id, origin }) => `${id} ${origin}`)).toEqual([
      'tiny local',
      'debian-13 official',
      'debian-12 official',
      'ubuntu-24.04 official',
      'ubuntu-22.04 official',
    ]);
  });

  test('are no images before they are whole', async () => {
    await write(manifest());
    await write(manifest(), join(scratch, 'images', '.tiny-being-built'));
    const catalogue = await open([join(scratch, 'images')]);
    expect(catalogue.list().map(({ id }) => id)).toEqual(['tiny']);
  });

  test('keep what guests are made of when they are built anew', async () => {
    await write(manifest());
    const catalogue = await open();
    const before = await catalogue.resolve('tiny', signal());
    const newDisk = Buffer.from('a newer disk');
    const next = `${folder}.next`;
    await write(
      { ...manifest(), disk: { file: 'disk.qcow2', sha256: digest(newDisk, 'sha256') } },
      next,
    );
    await writeFile(join(next, 'disk.qcow2'), newDisk);
    await rm(join(next, 'vmlinuz'));
    await rm(folder, { recursive: true });
    await rename(next, folder);
    const after = await catalogue.resolve('tiny', signal());
    expect(await readFile(after.disk)).toEqual(newDisk);
    expect(await readFile(before.disk)).toEqual(disk);
    expect(after.kernel).toEqual(before.kernel);
  });

  test.each(['disk.qcow2', 'vmlinuz', 'initrd'])('are refused with a damaged %s', async (file) => {
    await write(manifest());
    const catalogue = await open();
    await writeFile(join(folder, file), 'damaged');
    await expect(catalogue.resolve('tiny', signal())).rejects.toMatchObject({
      code: 'launch_failed',
      message: `The file ${file} of the image tiny is damaged or missing.`,
    });
    await rm(join(folder, file));
    await expect(catalogue.resolve('tiny', signal())).rejects.toThrow('damaged or missing');
  });

  test.each([
    ['a file elsewhere', { disk: { file: '../disk', sha256: 'a'.repeat(64) } }, /disk\.file/],
    ['a path', { disk: { file: '/etc/passwd', sha256: 'a'.repeat(64) } }, /disk\.file/],
    ['an option', { disk: { file: '-snapshot', sha256: 'a'.repeat(64) } }, /disk\.file/],
    ['no hash', { disk: { file: 'disk.qcow2', sha256: 'x' } }, /disk\.sha256/],
    ['an id that is an option', { id: '--help' }, /id/],
    ['a user that is an option', { user: '-oProxyCommand=x' }, /user/],
    ['a newer format', { version: 2 }, /version/],
    ['no memory', { minMemoryMiB: 0 }, /minMemoryMiB/],
  ])('are refused with %s', async (_what, change, message) => {
    await write({ ...manifest(), ...change });
    await expect(open()).rejects.toMatchObject({
      code: 'invalid_request',
      message: expect.stringMatching(message),
    });
  });

  test('are refused when there are none, when they are no JSON, and when two have one id', async () => {
    await expect(open([join(scratch, 'nowhere')])).rejects.toThrow('There is no image');
    await write('{');
    await expect(open()).rejects.toThrow('is not JSON');
    await write(' '.repeat(AGENT_LIMITS.images.manifestBytes + 1));
    await expect(open()).rejects.toThrow('cannot be read');
    await write(manifest());
    await expect(open([folder, folder])).rejects.toThrow('Two images have the id tiny');
  });

  test('are all that there is: no other id, and no path, leads anywhere', async () => {
    await write(manifest());
    const catalogue = await open();
    for (const id of ['debian-12', '../tiny', '', 'constructor', '--help']) {
      await expect(catalogue.resolve(id, signal())).rejects.toMatchObject({
        code: 'image_unknown',
        hint: 'It offers tiny.',
      });
    }
  });
});
