/** `@vm-on-golem/cli`: rents VMs from a program of your own, in Node, in a Worker or in a browser. */
export { GolemError, type ErrorCode } from '@vm-on-golem/shared/errors';
export { generatePrivateJwk, openIdentity, type Identity } from '@vm-on-golem/shared/keys';
export type { Offer } from '@vm-on-golem/shared/offer';
export type { Resources, Vm, VmState } from '@vm-on-golem/shared/vm';
export { GolemClient, type ClientOptions } from './client.ts';
export { MemoryRentals } from './memory-rentals.ts';
export type { CallOptions, PendingCreation, Rental, Rentals } from './ports.ts';
export type { Candidate, CandidatesPage, ProviderFilter } from './offers/providers.ts';
export type { Rediscovered, RediscoverOptions } from './own/rediscover.ts';
export type { VmCommand } from './vms/commands.ts';
export type { VmRequest } from './vms/vms.ts';
export type { FollowOptions } from './wire/operations.ts';
export type { CandidateFilter } from './offers/candidates.ts';
export type { ChangeOptions } from './work/change.ts';
export type { Reconciled, ReconcileOptions } from './work/reconcile.ts';
export type { RentOptions, Wish } from './work/rent.ts';
export type { SettleOptions } from './work/settle.ts';
export { OperationFailed, SignedRefusal } from './wire/outcome.ts';
