/** Bounds of what happens inside a guest, with their reasons. */
export const GUEST_LIMITS = {
  /** An emulated guest on a busy machine takes seconds for a key exchange. */
  handshakeMillis: 60_000,
  /** Answers to a farewell come within a round trip; bytes that were sent have their own answers. */
  farewellMillis: 2_000,
  /** After Ctrl-C, for removing half a file: what was sent before (2 MiB) is dealt with first. */
  tidyMillis: 3_000,
  /** As ssh has it: a typing error is forgiven twice. */
  passphraseTries: 3,
  /** Requests of one file that are under way: 2 MiB, which a slow relay fills within one round trip. */
  requestsInFlight: 64,
  /** What every SFTP server takes in one request (draft-ietf-secsh-filexfer-02, section 3). */
  requestBytes: 32 * 1024,
  /** Folders in folders: a link that goes round ends here, and so does a hostile guest. */
  copyDepth: 100,
  /**
   * Connections to one forwarded port at once. Browsers and pools of databases have tens; each may keep a
   * channel's window (2 MiB) in memory, and with a BIND of its own anybody near may connect.
   */
  forwardedConnections: 256,
} as const;
