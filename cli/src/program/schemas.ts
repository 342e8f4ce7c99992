/** How schemas are used here: each once or twice, for which zod's compiling takes longer than it saves. */

/** Has to come before any schema is made: zod looks here then, and `config` would have to load it first. */
export function compileNoSchemas(): void {
  Object.assign(globalThis, { __zod_globalConfig: { jitless: true } });
}
