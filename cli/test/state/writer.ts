/** A program of its own that works on the book: `once` claims and counts, `forever` counts until killed. */
import { VmBook } from '../../src/state/book.ts';

const [folder = '', task = '', times = '1'] = process.argv.slice(2);
const book = new VmBook(folder);
const vmId = `vm_${'a'.repeat(20)}`;

async function count(): Promise<void> {
  await book.update('web', vmId, (now) => {
    const labels = { n: String(Number(now.vm?.labels?.['n'] ?? 0) + 1) };
    return now.vm ? { ...now, vm: { ...now.vm, labels } } : now;
  });
}

if (task === 'once') {
  const isFirst = await book.claim('new', { name: 'new', provider: `gp_${'a'.repeat(26)}` });
  for (let done = 0; done < Number(times); done += 1) await count();
  console.log(isFirst);
} else {
  // With all loaded that it needs: from now on it writes.
  await count();
  console.log('at work');
  for (;;) await count();
}
