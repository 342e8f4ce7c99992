/** The HTTP API: what is asked and answered, in the order of the path. */
import * as z from 'zod';
import { word } from './compat.ts';
import { errorSchema } from './error-body.ts';
import { operationIdSchema, providerIdSchema, vmIdSchema } from './ids.ts';
import { LIMITS } from './limits.ts';
import { wholeNumber } from './numbers.ts';
import { signedOfferSchema } from './offer.ts';
import { sealedSchema } from './sealing.ts';
import {
  imageIdSchema,
  resourcesSchema,
  sshPublicKeySchema,
  vmNameSchema,
  vmSchema,
} from './vm.ts';

export const PROVIDER_SORTS = ['price', 'newest', 'capacity'] as const;

/** Query of `GET /v1/providers`. What is left out of the spec is taken from the size `small`. */
export const providersQuerySchema = z.strictObject({
  cpus: wholeNumber(LIMITS.vm.cpus).optional(),
  memoryMiB: wholeNumber(LIMITS.vm.memoryMiB).optional(),
  storageGiB: wholeNumber(LIMITS.vm.storageGiB).optional(),
  country: z
    .string()
    .regex(/^(?:[A-Z]{2}|unknown)$/, 'must be two capital letters (ISO 3166)')
    .optional(),
  arch: z.enum(['x86_64', 'aarch64']).optional(),
  /** nano-USD an hour for the asked spec. */
  maxHourlyPrice: wholeNumber(Number.MAX_SAFE_INTEGER).optional(),
  sort: z.enum(PROVIDER_SORTS).optional(),
  limit: wholeNumber(LIMITS.list.pageMax, 1).optional(),
  cursor: z.string().max(LIMITS.list.cursorChars).optional(),
});
export type ProvidersQuery = z.infer<typeof providersQuerySchema>;

/** Where the edge saw the provider connect from; `unknown` where no edge says. */
const countrySchema = z.string().regex(/^(?:[A-Z]{2}|unknown)$/);

export const providerSchema = z.object({
  id: providerIdSchema,
  offer: signedOfferSchema,
  country: countrySchema,
  asn: z.number().int().nullable(),
  online: z.boolean(),
  /** When it came online, or went offline. ISO 8601. */
  since: z.iso.datetime(),
  /** nano-USD an hour for the asked spec. Convenience: what counts is the signed offer. */
  hourlyPrice: z.number().int(),
});
export type Provider = z.infer<typeof providerSchema>;

export const providersPageSchema = z.object({
  providers: z.array(providerSchema),
  /** Opaque; null on the last page. */
  next: z.string().nullable(),
});
export type ProvidersPage = z.infer<typeof providersPageSchema>;

/** Body of `POST /v1/providers/{id}/vms`. */
export const createVmSchema = z.strictObject({
  name: vmNameSchema,
  resources: resourcesSchema,
  image: imageIdSchema,
  sshKeys: z.array(sshPublicKeySchema).min(1).max(LIMITS.vm.sshKeys),
  /** nano-USD an hour; the agent refuses when its price is above. */
  maxHourlyPrice: z.number().int().nonnegative().optional(),
  userData: sealedSchema.optional(),
  /** The VM is destroyed when it is so old, whatever its lease says. */
  ttlSeconds: z.number().int().min(60).max(LIMITS.vm.lifeSeconds).optional(),
  labels: z
    .record(z.string().regex(/^[a-z0-9][a-z0-9._/-]{0,62}$/), z.string().max(63))
    .refine((labels) => Object.keys(labels).length <= 16, 'at most 16 labels')
    .optional(),
});
export type CreateVm = z.infer<typeof createVmSchema>;

/** Answer 202 to every command that takes time. */
export const acceptedSchema = z.object({ operation: operationIdSchema, vm: vmSchema });
export type Accepted = z.infer<typeof acceptedSchema>;

export const vmsPageSchema = z.object({ vms: z.array(vmSchema), next: z.string().nullable() });
export type VmsPage = z.infer<typeof vmsPageSchema>;

export const operationKindSchema = z.enum([
  'create',
  'start',
  'stop',
  'restart',
  'suspend',
  'resize',
  'snapshot',
  'restore',
  'delete-snapshot',
  'destroy',
]);
export type OperationKind = z.infer<typeof operationKindSchema>;

/** Stages in the order in which an operation passes them; not every one passes all. */
export const stageSchema = z.enum([
  'accepted',
  'image',
  'disk',
  'boot',
  'ssh',
  'ready',
  'shutdown',
  'stopped',
  'save',
  'suspended',
  'change',
  'changed',
  'remove',
  'gone',
  'rollback',
  'failed',
]);
export type Stage = z.infer<typeof stageSchema>;

export const operationEventSchema = z.object({
  /** Counts from 1 within the operation. */
  n: z.number().int().positive(),
  at: z.iso.datetime(),
  stage: word(stageSchema.options),
});
export type OperationEvent = z.infer<typeof operationEventSchema>;

export const operationPageSchema = z.object({
  id: operationIdSchema,
  vmId: vmIdSchema,
  kind: word(operationKindSchema.options),
  state: z.enum(['running', 'succeeded', 'failed']),
  /** Those with `n` above `after`. */
  events: z.array(operationEventSchema),
  /** Null once it is gone. */
  vm: vmSchema.nullable(),
  error: errorSchema.optional(),
});
export type OperationPage = z.infer<typeof operationPageSchema>;

/** Query of `GET .../operations/{op}`: holds the answer open until there is an event past `after`. */
export const operationQuerySchema = z.strictObject({
  after: wholeNumber(1_000_000).default(0),
  /** Seconds. */
  wait: wholeNumber(LIMITS.operation.waitSeconds).default(0),
});

/** Query of `GET .../events`: as that of operations, in pages of `limit`. */
export const vmEventsQuerySchema = operationQuerySchema.extend({
  limit: wholeNumber(LIMITS.vm.pageRecords, 1).default(LIMITS.operation.pageEvents),
});

export const vmsQuerySchema = z.strictObject({
  cursor: z.string().max(LIMITS.list.cursorChars).optional(),
  limit: wholeNumber(LIMITS.vm.perPage, 1).optional(),
});

/** Query of `GET /v1/requestors/{id}/providers`. */
export const myProvidersQuerySchema = z.strictObject({
  cursor: z.string().max(LIMITS.list.cursorChars).optional(),
  limit: wholeNumber(LIMITS.list.pageMax, 1).optional(),
});
export type MyProvidersQuery = z.infer<typeof myProvidersQuerySchema>;

/**
 * Where the signer may have VMs, of their own or shared with them: what discovery saw. A hint, as
 * only the providers know; where they ordered first, the latest before the others.
 */
export const myProvidersSchema = z.object({
  providers: z.array(
    z.object({
      provider: providerIdSchema,
      /** When discovery last saw a VM created for, or shared with, the signer there. ISO 8601. */
      seenAt: z.iso.datetime(),
    }),
  ),
  next: z.string().nullable(),
});
export type MyProviders = z.infer<typeof myProvidersSchema>;

/** What is done with a VM by `POST .../{action}`. */
export type VmAction = 'start' | 'stop' | 'restart' | 'suspend' | 'resize' | 'renew';
/** What a VM has of its own, at `.../{part}`. */
export type VmPart = 'events' | 'console' | 'stats' | 'grants' | 'snapshots';

/** Paths, so that no program spells them by itself. */
export const paths = {
  agent: '/v1/agent',
  providers: '/v1/providers',
  provider: (id: string) => `/v1/providers/${id}`,
  vms: (provider: string) => `/v1/providers/${provider}/vms`,
  vm: (provider: string, vm: string) => `/v1/providers/${provider}/vms/${vm}`,
  vmAction: (provider: string, vm: string, action: VmAction) =>
    `/v1/providers/${provider}/vms/${vm}/${action}`,
  /** Of the VM: `events`, `console`, `stats`, `grants`, `snapshots`. */
  vmPart: (provider: string, vm: string, part: VmPart) =>
    `/v1/providers/${provider}/vms/${vm}/${part}`,
  snapshot: (provider: string, vm: string, name: string) =>
    `/v1/providers/${provider}/vms/${vm}/snapshots/${name}`,
  restore: (provider: string, vm: string, name: string) =>
    `/v1/providers/${provider}/vms/${vm}/snapshots/${name}/restore`,
  grant: (provider: string, vm: string, requestor: string) =>
    `/v1/providers/${provider}/vms/${vm}/grants/${requestor}`,
  /** Where the signer `requestor` may have VMs. */
  myProviders: (requestor: string) => `/v1/requestors/${requestor}/providers`,
  succession: (provider: string) => `/v1/providers/${provider}/succession`,
  usage: (provider: string) => `/v1/providers/${provider}/usage`,
  ssh: (provider: string, vm: string) => `/v1/providers/${provider}/vms/${vm}/ssh`,
  operation: (provider: string, operation: string) =>
    `/v1/providers/${provider}/operations/${operation}`,
  relay: (session: string) => `/v1/relay/${session}`,
} as const;
