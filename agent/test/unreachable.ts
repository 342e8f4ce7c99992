import { DriverError, type Driver } from '../src/drivers/driver.ts';
import { overlay } from './provider.ts';

/** A hypervisor that cannot be asked which guests there are, while it is not `reachable`. */
export class Reach {
  reachable = true;

  readonly wrapDriver = (driver: Driver): Driver =>
    overlay(driver, {
      list: async () => {
        if (!this.reachable) throw new DriverError('unavailable', 'no answer');
        return driver.list();
      },
    });
}
