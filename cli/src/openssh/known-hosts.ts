/** Pinned host keys, by the file that OpenSSH is given. */
export { knownHostsFile, pinHostKey } from '../state/host-keys.ts';
