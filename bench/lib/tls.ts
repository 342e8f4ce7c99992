/** Ends TLS in front of discovery: `node tls.ts KEY CERT TARGET_PORT`. Prints its port as JSON. */
import { readFileSync } from 'node:fs';
import { connect, type AddressInfo } from 'node:net';
import { pipeline } from 'node:stream';
import { createServer } from 'node:tls';

const [key = '', cert = '', target = ''] = process.argv.slice(2);
const server = createServer({ key: readFileSync(key), cert: readFileSync(cert) }, (near) => {
  near.setNoDelay(true);
  const far = connect({ port: Number(target), host: '127.0.0.1', noDelay: true });
  pipeline(near, far, near, () => {
    // Whatever ends one side ends the other; that is all there is to do.
  });
});
server.listen(0, '127.0.0.1', () => {
  console.log(JSON.stringify({ port: (server.address() as AddressInfo).port }));
});
process.on('SIGTERM', () => process.exit());
