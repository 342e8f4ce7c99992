/** Bounds of what is kept on this machine. */

export const STATE_LIMITS = {
  /** How often a provider that does not agree to a new key is asked again by the very next command. */
  rotationTries: 3,
  /** Then it is asked by one command in so much time: each waits for it. */
  rotationPauseMillis: 300_000,
  /** Fifty programs that change one file each hold it for some milliseconds; this is a hundred times that. */
  lockWaitMillis: 20_000,
  /** Long enough that others get their turn, short enough that nobody notices. */
  lockPollMillis: 5,
  /** What a program that was killed left behind: no write takes as long as that. */
  leftoverMillis: 600_000,
  /** A backup of a thousand VMs is smaller than a megabyte; anything larger is another file. */
  backupBytes: 8 * 1024 * 1024,
  /** Who guesses tries billions: shorter ones are no protection. */
  passphraseChars: 8,
} as const;
