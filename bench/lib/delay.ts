/** A line with delay: `node delay.ts MILLIS TARGET_PORT`. Prints its port as JSON. */
import { startProxy } from '../../test/proxy.ts';

const [millis = '', target = ''] = process.argv.slice(2);
const proxy = await startProxy({ target: () => ({ host: '127.0.0.1', port: Number(target) }) });
proxy.delay(Number(millis));
console.log(JSON.stringify({ port: proxy.port }));
process.on('SIGTERM', () => process.exit());
