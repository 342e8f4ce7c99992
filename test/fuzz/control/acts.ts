/** What can be done on a control socket of its own, and what has to come of it. */
import type * as fc from 'fast-check';
import { attack, Violation, type Answer, type Attack } from '../attack.ts';
import type { Arena, HostileProvider } from '../arena.ts';
import type { Peer } from '../peer.ts';

/** Nothing that it could be taken for, so that a socket that is still open ends with it. */
const NONSENSE = '{"type":"nonsense"}';

/** Sends on a fresh control socket. @param greeted whether the hub has an offer before */
export function onSocket(
  arena: Arena,
  greeted: boolean,
  act: (control: Peer, provider: HostileProvider) => Promise<readonly Answer[]>,
): Promise<readonly Answer[]> {
  return arena.withProvider(async (provider) => {
    const control = await provider.connect();
    if (greeted) await provider.greet(control);
    const answers = await act(control, provider);
    control.cut();
    return answers;
  });
}

/** A message that must be the last one. */
export const ends = <Params extends { readonly greeted: boolean }>(
  kind: string,
  params: fc.Arbitrary<Params>,
  make: (
    params: Params,
    provider: HostileProvider,
  ) => string | Uint8Array | Promise<string | Uint8Array>,
): Attack =>
  attack('control', kind, params, (arena, drawn) =>
    onSocket(arena, drawn.greeted, async (control, provider) => {
      control.send(await make(drawn, provider));
      return [await control.closed()];
    }),
  );

/** Messages that may be in order or not, and what certainly is not at the end. */
export const mayEnd = <Params extends { readonly greeted: boolean }>(
  kind: string,
  params: fc.Arbitrary<Params>,
  make: (params: Params, provider: HostileProvider) => string | Promise<string>,
): Attack =>
  attack('control', kind, params, (arena, drawn) =>
    onSocket(arena, drawn.greeted, async (control, provider) => {
      control.send(await make(drawn, provider), NONSENSE);
      return [await control.closed()];
    }),
  );

/** Messages after which the socket is open as before. */
export const endures = <Params extends { readonly greeted: boolean }>(
  kind: string,
  params: fc.Arbitrary<Params>,
  make: (params: Params) => readonly string[],
  weight?: number,
): Attack =>
  attack(
    'control',
    kind,
    params,
    (arena, drawn) =>
      onSocket(arena, drawn.greeted, async (control) => {
        control.send(...make(drawn));
        const answer = await control.openOrClosed();
        if (answer !== 'open') throw new Violation(`${answer} for what may be sent`);
        return [answer];
      }),
    weight,
  );
