/**
 * What workerd runs: the worker, its objects and its database on disk, a socket for everybody, and
 * one for whoever runs it.
 *
 * Only parts of miniflare are used, its database and its config writer. Its own front door is for
 * development: it lets a client say what its address and country are, and opens the inside.
 */
import { createRequire } from 'node:module';
import { mkdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import {
  convertV4MiniflareOptions,
  D1_PLUGIN,
  MiniflareOptionsSchema,
  serializeConfig,
  SERVICE_LOOPBACK,
  type PluginServicesOptions,
} from 'miniflare';

/** As in `wrangler.toml`. */
export const COMPATIBILITY_DATE = '2026-10-01';
export const COMPATIBILITY_FLAGS = ['enable_request_signal'];
/** Name of the socket that clients connect to. */
export const ENTRY = 'entry';
const CONTROL = 'control';

const OBJECTS = { HUB: 'Hub', RELAY: 'Relay', LIMITER: 'Limiter' } as const;
const OBJECT_STORAGE = 'objects';
const NOWHERE = 'nowhere';

export interface ConfigOptions {
  /** `host:port`. */
  readonly address: string;
  /** Path of the socket over which the service is told to stop; nobody else may reach it. */
  readonly control: string;
  readonly dataDir: string;
  /** ES module. */
  readonly worker: string;
  /** Plain variables of the worker. */
  readonly vars: Readonly<Record<string, unknown>>;
}

/** Where objects keep their databases of which there is a new one for every session or key. */
export function foldersOfShortLived(dataDir: string): string[] {
  return [OBJECTS.RELAY, OBJECTS.LIMITER].map((name) => join(dataDir, OBJECT_STORAGE, keyOf(name)));
}

const keyOf = (className: string) => `golem-${className}`;

/** @returns the config in workerd's binary form. */
export async function workerdConfig(options: ConfigOptions): Promise<Buffer> {
  const { address, control, dataDir, worker, vars } = options;
  const database = await databaseServices(dataDir);
  const objects = join(dataDir, OBJECT_STORAGE);
  await mkdir(objects, { recursive: true });
  return serializeConfig({
    sockets: [
      { name: ENTRY, address, http: {}, service: { name: 'discovery' } },
      {
        ...{ name: CONTROL, address: `unix:${control}`, http: {} },
        service: { name: 'discovery', entrypoint: 'Shutdown' },
      },
    ],
    services: [
      {
        name: 'discovery',
        worker: {
          modules: [{ name: 'worker.js', esModule: worker }],
          compatibilityDate: COMPATIBILITY_DATE,
          compatibilityFlags: COMPATIBILITY_FLAGS,
          globalOutbound: { name: NOWHERE },
          durableObjectStorage: { localDisk: OBJECT_STORAGE },
          durableObjectNamespaces: Object.values(OBJECTS).map((className) => ({
            className,
            uniqueKey: keyOf(className),
            enableSql: true,
          })),
          bindings: [
            ...database.bindings,
            ...Object.entries(OBJECTS).map(([name, className]) => ({
              name,
              durableObjectNamespace: { className },
            })),
            ...Object.entries(vars).map(([name, value]) => ({ name, json: JSON.stringify(value) })),
          ],
        },
      },
      { name: OBJECT_STORAGE, disk: { path: objects, writable: true } },
      { name: NOWHERE, network: { allow: [] } },
      ...database.services,
      // Where the database would write its debug log.
      { name: SERVICE_LOOPBACK, network: { allow: [] } },
    ],
    extensions: [{ modules: await miniflareModules() }],
  });
}

async function databaseServices(dataDir: string) {
  const sharedOptions = MiniflareOptionsSchema.parse(
    convertV4MiniflareOptions({
      modules: true,
      script: '',
      d1Databases: { DB: 'discovery' },
      resourcePersistencePath: dataDir,
    }),
  );
  const [options] = sharedOptions.workers;
  if (!options) throw new Error('miniflare took no worker');
  const bindings = await D1_PLUGIN.getBindings(options, sharedOptions, 0);
  // The plugin reads these three; the others are of plugins that are not used here.
  const context: Partial<PluginServicesOptions> = { options, sharedOptions, tmpPath: dataDir };
  const services = await D1_PLUGIN.getServices(context as PluginServicesOptions);
  if (!bindings || !Array.isArray(services)) throw new Error('miniflare gave no database');
  return { bindings, services };
}

/** Modules that miniflare's own workers import. */
async function miniflareModules() {
  const shared = join(
    dirname(createRequire(import.meta.url).resolve('miniflare')),
    'workers/shared',
  );
  const module = async (name: string, file: string) => ({
    name,
    esModule: await readFile(join(shared, file), 'utf8'),
  });
  return Promise.all([
    module('miniflare:shared', 'index.worker.js'),
    module('miniflare:zod', 'zod.worker.js'),
  ]);
}
