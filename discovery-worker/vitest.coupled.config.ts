/** What both relay modes have to do, with the one that is not the default on Cloudflare. */
import { workerTests } from './vitest.config.ts';

export default workerTests('discovery-coupled', ['test/{passage,transfer}.test.ts'], {
  RELAY_MODE: 'coupled',
});
