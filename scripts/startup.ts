/** What makes a bundle in parts quick to start. Plugins of esbuild. */
import { join } from 'node:path';
import type { Plugin } from 'esbuild';
import { root } from './bundle.ts';

/**
 * Node's own modules, of which nothing is read but what is used: an import of `node:fs` makes a module
 * of all that it exports, and so loads streams and readline, which are behind some of it.
 */
const quickBuiltins: Plugin = {
  name: 'quick-builtins',
  setup: (build) => {
    build.onResolve({ filter: /^node:/ }, ({ path, kind }) =>
      // What asks by `require` gets it from Node.
      kind === 'import-statement' ? { path, namespace: 'builtin', sideEffects: false } : undefined,
    );
    build.onLoad({ filter: /.*/, namespace: 'builtin' }, ({ path }) => {
      const names = Object.keys(process.getBuiltinModule(path) ?? {});
      const exported = names
        .filter((name) => /^[A-Za-z_$][\w$]*$/.test(name) && name !== 'default')
        .map(
          (name, at) =>
            `const _${at} = /* @__PURE__ */ get('${name}'); export { _${at} as ${name} };`,
        );
      const get = `const builtin = process.getBuiltinModule('${path}'); const get = (name) => builtin[name];`;
      return { contents: [get, 'export default builtin;', ...exported].join('\n') };
    });
  },
};

/**
 * Tells esbuild that `core` is there whenever something is loaded later. It shares out code by who
 * imports it: the parts of `core` would else be in as many files as there are sets of others that
 * need them, and each file takes longer to find than to run.
 *
 * @param core source files, from the root of the repository
 * @param apart matches what is loaded without `core`
 */
function loadedWith(core: readonly string[], apart: RegExp): Plugin {
  const first = core.map((file) => `import ${JSON.stringify(join(root, file))};`).join('');
  const namespace = 'later';
  return {
    name: 'loaded-with',
    setup: (build) => {
      build.onResolve({ filter: /^\./, namespace: 'file' }, async ({ kind, path, ...from }) => {
        if (kind !== 'dynamic-import') return undefined;
        const { importer, resolveDir } = from;
        // As a statement, which this leaves to esbuild.
        const found = await build.resolve(path, {
          ...{ importer, resolveDir, kind: 'import-statement' },
        });
        return apart.test(found.path) ? found : { ...found, namespace };
      });
      build.onLoad({ filter: /.*/, namespace }, ({ path }) => ({
        contents: `${first}export * from ${JSON.stringify(path)};`,
        resolveDir: root,
      }));
    },
  };
}

/** For `golem`, which is started all the time: nearly all but what it answers at once needs its core. */
export const QUICK_GOLEM: Plugin[] = [
  loadedWith(
    ['cli/src/program/program.ts', 'cli/src/commands/vm/list.ts'],
    /\/program\/tab\.ts$|\/presenters\/shells\//,
  ),
  quickBuiltins,
];
