/** How relays move bytes; `passage.ts` is the port that both stand behind. */
export const RELAY_MODES = ['hibernating', 'coupled'] as const;
export type RelayMode = (typeof RELAY_MODES)[number];
