/** The worker and its objects. */
import { app } from './app.ts';

export { Hub } from './objects/hub/object.ts';
export { Limiter } from './objects/limiter/object.ts';
export { Relay } from './objects/relay/object.ts';

export default { fetch: app.fetch };
