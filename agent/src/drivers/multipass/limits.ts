/** How long Multipass may take, and how much it may say. */

const SECOND = 1000;
const MINUTE = 60 * SECOND;

export const MULTIPASS_LIMITS = {
  /** `info` and `list` go into each guest over SSH, which takes seconds where instructions are emulated. */
  queryMillis: 30 * SECOND,
  /** Settings, snapshots, removals: a guest is stopped first, a large disk is rewritten. */
  changeMillis: 5 * MINUTE,
  /** Multipass may have to fetch an image of its own first. What the agent grants a launch as well. */
  launchSeconds: 600,
  startSeconds: 300,
  /** A client that was told to end by itself after so many seconds is given these on top. */
  overdueMillis: 15 * SECOND,
  /** Before 1.14 a plug cannot be pulled: a guest is always given this long. */
  shutdownMillis: MINUTE,
  /** What a command left behind is seen by `info` at once, unless the daemon is busy. */
  settleMillis: 5 * SECOND,
  /** How often it is looked whether something came about. */
  pollMillis: 1 * SECOND,
  /** A launch whose client is gone goes on: copying an image takes this long at most. */
  preparingMillis: 2 * MINUTE,
  /** A hundred instances with everything about them are 100 KB. */
  stdoutBytes: 2 * 1024 * 1024,
  /** The end of the complaints. */
  stderrBytes: 16 * 1024,
  /** Of a complaint, in a message to people. */
  wordsChars: 200,
} as const;
