/** Asks the agent that runs on this machine. */
import { request } from 'node:http';
import { text } from 'node:stream/consumers';
import { readErrorBody } from '@vm-on-golem/shared/error-body';
import { GolemError } from '@vm-on-golem/shared/errors';
import type * as z from 'zod';
import { AGENT_LIMITS } from '../limits.ts';
import {
  configSchema,
  controlPaths,
  earningsSchema,
  evictedSchema,
  modeSchema,
  orphansSchema,
  probeSchema,
  reloadedSchema,
  statusSchema,
  stoppingSchema,
  vmsSchema,
  type Drain,
  type EarningsQuestion,
} from './schemas.ts';
import { controlPath } from './socket.ts';

interface Question {
  readonly method: 'GET' | 'POST' | 'DELETE';
  readonly path: string;
  readonly body?: unknown;
  readonly timeoutMillis?: number;
}

export class ControlClient {
  readonly #dataDir: string;

  constructor(dataDir: string) {
    this.#dataDir = dataDir;
  }

  status() {
    return this.#ask({ method: 'GET', path: controlPaths.status }, statusSchema);
  }

  config() {
    return this.#ask({ method: 'GET', path: controlPaths.config }, configSchema);
  }

  reload() {
    return this.#ask({ method: 'POST', path: controlPaths.reload }, reloadedSchema);
  }

  stop() {
    return this.#ask({ method: 'POST', path: controlPaths.stop }, stoppingSchema);
  }

  pause() {
    return this.#ask({ method: 'POST', path: controlPaths.pause }, modeSchema);
  }

  resume() {
    return this.#ask({ method: 'POST', path: controlPaths.resume }, modeSchema);
  }

  drain(body: Drain) {
    return this.#ask({ method: 'POST', path: controlPaths.drain, body }, modeSchema);
  }

  /** Takes as long as a guest takes to boot. */
  probe() {
    const timeoutMillis = AGENT_LIMITS.control.probeMillis;
    return this.#ask({ method: 'POST', path: controlPaths.probe, timeoutMillis }, probeSchema);
  }

  vms() {
    return this.#ask({ method: 'GET', path: controlPaths.vms }, vmsSchema);
  }

  /** @param ref id, or name if only one VM here has it */
  evict(ref: string, reason: string) {
    const path = controlPaths.evict(ref);
    return this.#ask({ method: 'POST', path, body: { reason } }, evictedSchema);
  }

  earnings(query: EarningsQuestion) {
    const said = Object.entries(query).filter(
      (pair): pair is [string, string] => pair[1] !== undefined,
    );
    const path = `${controlPaths.earnings}?${new URLSearchParams(said)}`;
    return this.#ask({ method: 'GET', path }, earningsSchema);
  }

  orphans() {
    return this.#ask({ method: 'GET', path: controlPaths.orphans }, orphansSchema);
  }

  removeOrphan(vmId: string) {
    return this.#ask({ method: 'DELETE', path: controlPaths.orphan(vmId) }, orphansSchema);
  }

  /**
   * @throws {GolemError} `not_running` when nobody listens, `forbidden` when the agent is another
   * user's, and whatever the agent answers
   */
  async #ask<Answer>(question: Question, schema: z.ZodType<Answer>): Promise<Answer> {
    const { status, body } = await this.#send(question);
    let answer: unknown;
    try {
      answer = JSON.parse(body);
    } catch (cause) {
      throw strange(cause);
    }
    if (status >= 400) throw readErrorBody(answer, status) ?? strange(`status ${status}`);
    const parsed = schema.safeParse(answer);
    if (!parsed.success) throw strange(parsed.error);
    return parsed.data;
  }

  #send({ method, path, body, timeoutMillis }: Question) {
    const { promise, resolve, reject } = Promise.withResolvers<{ status: number; body: string }>();
    const millis = timeoutMillis ?? AGENT_LIMITS.control.answerMillis;
    const sent = request(
      {
        ...{ socketPath: controlPath(this.#dataDir), method, path, agent: false },
        signal: AbortSignal.timeout(millis),
        headers: { host: 'golem-provider', 'content-type': 'application/json' },
      },
      (response) => {
        text(response).then(
          (body) => resolve({ status: response.statusCode ?? 500, body }),
          reject,
        );
      },
    );
    sent.on('error', reject);
    sent.end(body === undefined ? undefined : JSON.stringify(body));
    return promise.catch((error: unknown) => {
      throw this.#explain(error, millis);
    });
  }

  #explain(error: unknown, millis: number): GolemError {
    const { code, name } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ECONNREFUSED') {
      return new GolemError('not_running', `No golem-provider runs with ${this.#dataDir}.`, {
        cause: error,
        hint: 'Start it with golem-provider start, or name its folder with --data-dir.',
      });
    }
    if (code === 'EACCES' || code === 'EPERM') {
      return new GolemError('forbidden', "The golem-provider that runs here is another user's.", {
        cause: error,
        hint: 'Run this as the user that it runs as, such as with sudo.',
      });
    }
    if (name === 'AbortError' || name === 'TimeoutError') {
      return new GolemError(
        'provider_timeout',
        `The agent did not answer within ${millis / 1000} s.`,
        {
          cause: error,
          hint: 'See golem-provider logs.',
        },
      );
    }
    return strange(error);
  }
}

function strange(cause: unknown): GolemError {
  return new GolemError('internal', 'The agent that runs here gave no answer that makes sense.', {
    cause,
    hint: 'It may be of another version: start it again.',
  });
}
