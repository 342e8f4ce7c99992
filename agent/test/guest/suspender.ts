/**
 * An agent's part in a suspension, as a process that a test can kill:
 * `node suspender.ts STATE_DIR VM_ID suspend|start STEP agent|both`. It is killed when it has come to the
 * step, and with `both` its guest's QEMU before it, as by a power cut.
 */
import { createQemuDriver } from '../../src/drivers/qemu/driver.ts';
import { guestFolder } from '../../src/drivers/qemu/folder.ts';
import { killQemu } from '../../src/drivers/qemu/process.ts';

const [stateDir = '', vmId = '', operation, last, victims] = process.argv.slice(2);
const driver = await createQemuDriver({
  stateDir,
  allowEmulation: true,
  atSuspendStep: async (step) => {
    if (step !== last) return;
    if (victims === 'both') await killQemu(guestFolder(stateDir, vmId));
    process.kill(process.pid, 'SIGKILL');
  },
});
const signal = AbortSignal.timeout(60_000);
if (operation === 'suspend') await driver.suspend(vmId, signal);
else await driver.start(vmId, { signal, onStage: () => undefined });
throw new Error(`There is no step ${last} in ${operation}.`);
