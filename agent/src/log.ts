/** The agent's log: JSON lines by pino, without what must not be written down. */
import { destination, pino, stdSerializers, type Logger } from 'pino';

/** Nothing logs these on purpose; an error that carries a whole object must not either. */
const SECRETS = ['d', 'privateKey', 'seed', 'userData', 'sealingKey', 'signature', 'headers'];

export function openLog(options: {
  readonly level: string;
  readonly file?: string | undefined;
}): Logger {
  const { level, file } = options;
  return pino(
    {
      level,
      base: null,
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: stdSerializers.errWithCause },
      redact: SECRETS.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]),
    },
    destination({ dest: file ?? 2, sync: true, mkdir: true, append: true, mode: 0o600 }),
  );
}
