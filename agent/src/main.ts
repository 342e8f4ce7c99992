import process from 'node:process';

const words = process.argv.slice(2);
// Which version this is, is answered without loading the program that it is the version of.
if (words.length === 1 && ['--version', '-v'].includes(words[0] ?? '')) {
  const { VERSION } = await import('./version.ts');
  process.stdout.write(`${VERSION}\n`);
} else {
  const { program } = await import('./program.ts');
  process.exitCode = await program(words, process);
}
