/** Writes down what is asked of a driver, how long it took and what went wrong. */
import type { Logger } from 'pino';
import { DriverError, type Driver } from './driver.ts';

/** Asked all the time, or only looking: of interest to whoever looks for something. */
const QUIET = new Set(['facts', 'list', 'inspect', 'usage', 'snapshots', 'console', 'dial']);

/** The same driver; whatever its methods do is done as before. */
export function loggedDriver(driver: Driver, log: Logger): Driver {
  return new Proxy(driver, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name, target);
      if (typeof member !== 'function' || typeof name === 'symbol') {
        return typeof member === 'function' ? member.bind(target) : member;
      }
      return async (...args: readonly unknown[]) => {
        const call = { driver: target.name, call: name, ...vmOf(args[0]) };
        const started = performance.now();
        const millis = () => Math.round(performance.now() - started);
        try {
          const result: unknown = await member.apply(target, args);
          log[QUIET.has(name) ? 'debug' : 'info']({ ...call, millis: millis() }, 'driver');
          return result;
        } catch (error) {
          const why =
            error instanceof DriverError
              ? { code: error.code, why: error.message }
              : { err: error };
          log[QUIET.has(name) ? 'debug' : 'warn'](
            { ...call, millis: millis(), ...why },
            'driver failed',
          );
          throw error;
        }
      };
    },
  });
}

/** Methods take the id of a guest, or what it is to be made of: seeds are never written down. */
function vmOf(argument: unknown): { readonly vm?: string } {
  if (typeof argument === 'string') return { vm: argument };
  if (typeof argument !== 'object' || argument === null || !('vmId' in argument)) return {};
  return { vm: String(argument.vmId) };
}
