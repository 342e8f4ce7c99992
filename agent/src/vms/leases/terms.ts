/** For how long VMs are rented. All in milliseconds. */
export interface LeaseTerms {
  /** A new VM's, and one that is renewed without a wish. */
  readonly leaseMillis: number;
  readonly leaseMaxMillis: number;
  /** How long the disk is kept after the end. */
  readonly leaseGraceMillis: number;
  /** How long a guest that belongs to no VM is reported before it is removed. */
  readonly orphanGraceMillis: number;
}
