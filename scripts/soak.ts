/** `npm run soak`: sessions of all kinds on a network that keeps failing, for minutes. */
import { parseArgs } from 'node:util';
import { RELAY_MODES } from '../discovery-worker/src/objects/relay/modes.ts';
import { describe, growth } from '../test/load/outcome.ts';
import { soak } from '../test/load/soak.ts';

const USAGE = `npm run soak -- [flags]

  --minutes N          how long (10)
  --relay-mode MODE    ${RELAY_MODES.join(' or ')} (${RELAY_MODES[0]})
`;

/** Heaps go up and down by this much. */
const SLACK_MIB = 64;

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '10' },
    'relay-mode': { type: 'string', default: RELAY_MODES[0] },
  },
});
const minutes = Number(values.minutes);
const relayMode = RELAY_MODES.find((mode) => mode === values['relay-mode']);
if (!relayMode || !(minutes > 0)) {
  console.error(`soak: a flag is not valid\n\n${USAGE}`);
  process.exit(2);
}
const stop = new AbortController();
process.on('SIGINT', () => stop.abort());
process.on('SIGTERM', () => stop.abort());

const result = await soak({
  ...{ relayMode, millis: minutes * 60_000, random: Math.random, signal: stop.signal },
  ...{ sampleMillis: 15_000, onSample: (line) => console.log(line) },
});
for (const failure of result.broken) console.error(failure);
const agent = growth(result, 'agentMiB');
const relay = growth(result, 'relayMiB');
console.log(
  `soak, ${relayMode}: ${minutes} min, ${describe(result)}; ` +
    `agent ${agent.from} -> ${agent.to} MiB, relay ${relay.from} -> ${relay.to} MiB`,
);
const leaks = [agent, relay].some(({ from, to }) => to - from > SLACK_MIB);
if (leaks) console.error(`memory grew by more than ${SLACK_MIB} MiB`);
process.exitCode = result.broken.length > 0 || leaks ? 1 : 0;
