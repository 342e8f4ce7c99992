import { paths } from '@vm-on-golem/shared/api';
import { CLOSE } from '@vm-on-golem/shared/closes';
import { generateIdentity } from '@vm-on-golem/shared/keys';
import { LIMITS } from '@vm-on-golem/shared/limits';
import { verifyAnswer } from '@vm-on-golem/shared/answers';
import { describe, expect, it } from 'vitest';
import { codeOf, ScriptedAgent, send, signed } from './parties.ts';

const requestor = await generateIdentity('requestor');

function create(provider: string, body = '{"name":"web"}') {
  return signed(requestor, {
    method: 'POST',
    path: paths.vms(provider),
    body,
    idempotencyKey: 'key-of-a-create',
  });
}

describe('a command', () => {
  it('reaches the agent byte for byte, and its signed answer comes back', async () => {
    const agent = await ScriptedAgent.online();
    const body = '{"name":"wéb\\u0000","x":"\u{1f600}"}';
    const request = await create(agent.identity.id, body);
    const answer = send(request, { 'x-forwarded-for': '1.2.3.4', cookie: 'a=b' });
    const received = await agent.expect('request');
    expect(received).toMatchObject({ ...request, body });
    expect(Object.keys(received.headers).sort()).toEqual(Object.keys(request.headers).sort());

    await agent.answer(received, 202, { operation: 'op' });
    const response = await answer;
    expect(response.status).toBe(202);
    expect(response.headers.get('content-type')).toBe('application/json');
    expect(response.headers.get('golem-request-id')).toBe(received.id);
    const headers = Object.fromEntries(response.headers);
    await verifyAnswer(
      { status: 202, headers, body: await response.text() },
      request,
      agent.identity.id,
    );
  });

  it('passes on any method and path below the provider', async () => {
    const agent = await ScriptedAgent.online();
    const path = `${paths.operation(agent.identity.id, 'op_x')}?after=1&wait=25`;
    const answer = send(await signed(requestor, { method: 'GET', path }));
    const received = await agent.expect('request');
    expect(received.url.endsWith(path)).toBe(true);
    await agent.answer(received, 404, { error: 'mine' });
    expect(await (await answer).json()).toEqual({ error: 'mine' });

    for (const path of [
      `${paths.usage(agent.identity.id)}?vm=vm_x`,
      `${paths.vmPart(agent.identity.id, 'web', 'events')}?after=1&wait=25`,
      paths.vmPart(agent.identity.id, 'web', 'grants'),
    ]) {
      const asked = send(await signed(requestor, { method: 'GET', path }));
      const passed = await agent.expect('request');
      expect(passed.url.endsWith(path)).toBe(true);
      await agent.answer(passed, 200, { path });
      expect(await (await asked).json()).toEqual({ path });
    }

    const destroy = { method: 'DELETE', path: paths.vm(agent.identity.id, 'web') };
    const gone = send(await signed(requestor, { ...destroy, idempotencyKey: 'destroy-it' }));
    await agent.answer(await agent.expect('request'), 200, {});
    expect((await gone).status).toBe(200);
  });

  it('gets an answer to itself whatever the order of answers', async () => {
    const agent = await ScriptedAgent.online();
    const first = send(await create(agent.identity.id, '1'));
    const one = await agent.expect('request');
    const second = send(await create(agent.identity.id, '2'));
    const two = await agent.expect('request');
    await agent.answer(two, 200, 'two');
    await agent.answer(one, 200, 'one');
    expect(await (await first).json()).toBe('one');
    expect(await (await second).json()).toBe('two');
  });

  it('fails at once when the link is lost under it', async () => {
    const agent = await ScriptedAgent.online();
    const answer = send(await create(agent.identity.id));
    await agent.expect('request');
    agent.socket.close(1000, 'bye');
    expect(await codeOf(await answer)).toBe('link_lost');
  });

  it('is refused when the provider is unknown or offline', async () => {
    const stranger = await generateIdentity('provider');
    const unknown = await send(await create(stranger.id));
    expect(unknown.status).toBe(404);
    expect(await codeOf(unknown)).toBe('provider_not_found');

    const agent = await ScriptedAgent.online();
    agent.socket.close(1000, 'bye');
    await agent.socket.closed;
    const offline = await send(await create(agent.identity.id));
    expect(offline.status).toBe(503);
    expect(await codeOf(offline)).toBe('provider_offline');
  });

  it('is refused as busy past the bound of requests in flight, and others go on', async () => {
    const agent = await ScriptedAgent.online();
    const answers = [];
    for (let n = 0; n < LIMITS.control.inFlight; n++) {
      answers.push(send(await create(agent.identity.id)));
    }
    const received = [];
    for (const _ of answers) received.push(await agent.expect('request'));
    const busy = await send(await create(agent.identity.id));
    expect(await codeOf(busy)).toBe('provider_busy');
    expect(busy.headers.get('retry-after')).toBe('1');
    for (const message of received) await agent.answer(message, 200);
    expect((await Promise.all(answers)).every(({ status }) => status === 200)).toBe(true);
  });

  it('is refused when escaping makes it larger than a message may be', async () => {
    const agent = await ScriptedAgent.online();
    const body = '\u0001'.repeat(LIMITS.request.bodyBytes);
    const response = await send(await create(agent.identity.id, body));
    expect(await codeOf(response)).toBe('payload_too_large');
    const again = send(await create(agent.identity.id));
    await agent.answer(await agent.expect('request'), 200);
    expect((await again).status).toBe(200);
  });

  it('is called off when its client goes away', async () => {
    const agent = await ScriptedAgent.online();
    const client = new AbortController();
    const answer = send(await create(agent.identity.id), {}, client.signal);
    const received = await agent.expect('request');
    client.abort();
    await expect(answer).rejects.toThrow();
    expect((await agent.expect('cancel')).id).toBe(received.id);
  });
});

describe('an agent that breaks the protocol', () => {
  it.each([
    ['what is not JSON', 'nonsense', /not JSON/],
    ['an unknown message', '{"type":"dance"}', /not valid/],
    ['an answer out of bounds', '{"type":"response","id":"x","status":99}', /not valid/],
    ['too large a message', ' '.repeat(LIMITS.control.messageBytes + 1), /too large/],
    ['binary', new Uint8Array(3), /text only/],
  ])('is closed with the reason: %s', async (_, message, reason) => {
    const agent = await ScriptedAgent.online();
    agent.socket.send(message);
    const closed = await agent.socket.closed;
    expect(closed.code).toBe(CLOSE.protocol.code);
    expect(closed.reason).toMatch(reason);
  });

  it('may send what it marks as optional', async () => {
    const agent = await ScriptedAgent.online();
    agent.socket.send('{"type":"dance","optional":true}');
    const answer = send(await create(agent.identity.id));
    await agent.answer(await agent.expect('request'), 200);
    expect((await answer).status).toBe(200);
  });
});
