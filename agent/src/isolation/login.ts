/** A login to a guest, by which it is asked to go somewhere. */
import { setTimeout as sleep } from 'node:timers/promises';
import ssh2, { type ClientChannel } from 'ssh2';
import type { Driver } from '../drivers/driver.ts';
import type { Endpoint } from './destinations.ts';

/** cloud-init makes the account while sshd answers already. */
const RETRY_MILLIS = 1_000;
const LOGIN_MILLIS = 20_000;
/** From a guest to the Internet and back; what is dropped on the way is never answered. */
const REACH_MILLIS = 5_000;

export interface LoginOptions {
  readonly vmId: string;
  readonly user: string;
  /** OpenSSH format. */
  readonly privateKey: string;
  /** OpenSSH line. */
  readonly hostKey: string;
  readonly signal: AbortSignal;
}

export class GuestLogin implements Disposable {
  readonly #client: ssh2.Client;

  private constructor(client: ssh2.Client) {
    this.#client = client;
  }

  /** Tries until `signal`, whose reason it throws then. */
  static async open(driver: Driver, options: LoginOptions): Promise<GuestLogin> {
    for (;;) {
      const client = await logIn(driver, options).catch(() => undefined);
      if (client) return new GuestLogin(client);
      // Whatever it was, a guest that is still booting would have done the same.
      await sleep(RETRY_MILLIS, undefined, { signal: options.signal });
    }
  }

  /**
   * Whether the guest gets a TCP connection. Its sshd opens it: no program of the image is needed, and
   * names are looked up as the guest looks them up.
   */
  async reaches({ host, port }: Endpoint): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<ClientChannel | undefined>();
    const timer = setTimeout(() => resolve(undefined), REACH_MILLIS);
    this.#client.forwardOut('127.0.0.1', 0, host, port, (error, channel) => {
      if (error) return resolve(undefined);
      channel.on('error', () => undefined);
      resolve(channel);
    });
    const channel = await promise;
    clearTimeout(timer);
    channel?.destroy();
    return channel !== undefined;
  }

  [Symbol.dispose](): void {
    this.#client.destroy();
  }
}

async function logIn(
  driver: Driver,
  { vmId, user, privateKey, hostKey, signal }: LoginOptions,
): Promise<ssh2.Client> {
  const sock = await driver.dial(vmId, signal);
  const client = new ssh2.Client();
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const onAbort = () => reject(signal.reason as Error);
  signal.addEventListener('abort', onAbort, { once: true });
  client
    .once('ready', resolve)
    .on('error', reject)
    .once('close', () => reject(new Error('the guest closed the connection')));
  const expected = hostKey.split(' ')[1];
  client.connect({
    sock,
    username: user,
    privateKey,
    readyTimeout: LOGIN_MILLIS,
    hostVerifier: (key: Buffer) => key.toString('base64') === expected,
  });
  try {
    await promise;
    return client;
  } catch (error) {
    client.destroy();
    sock.destroy();
    throw error;
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
