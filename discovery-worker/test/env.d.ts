type WorkerEnv = import('../src/env.ts').Env;

declare namespace Cloudflare {
  interface Env extends WorkerEnv {
    readonly MIGRATIONS: import('cloudflare:test').D1Migration[];
  }
  interface GlobalProps {
    mainModule: typeof import('../src/index.ts');
  }
}
