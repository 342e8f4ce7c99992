/**
 * Everything that an operator can set, in one table: each row is a flag `--name`, a variable
 * `GOLEM_PROVIDER_NAME`, a key of the configuration file, and a line of the manual.
 */
import { LIMITS } from '@vm-on-golem/shared/limits';
import { NETWORKS } from '../drivers/qemu/network/network.ts';
import { defaultDataDir, defaultName } from './defaults.ts';
import type { Setting } from './setting.ts';
import * as v from './values.ts';

const KIB = 1024;
const { vm, offer, relay } = LIMITS;

export const SETTINGS = {
  discovery: {
    ...{ group: 'provider', schema: v.httpUrl, value: 'URL', required: true },
    help: 'the discovery service to connect to',
  },
  name: {
    group: 'provider',
    schema: v.text
      .max(offer.nameChars, `must have ${offer.nameChars} characters at most`)
      .regex(/^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$/, 'must be lower-case letters, digits and dashes'),
    ...{ value: 'NAME', default: defaultName, otherwise: "this machine's name" },
    ...{ help: 'shown to requestors', live: true },
  },
  'data-dir': {
    ...{ group: 'provider', schema: v.path, value: 'DIR', path: true },
    ...{ default: defaultDataDir, otherwise: '~/.local/share/golem-provider' },
    help: 'keys, VMs and guests',
  },

  driver: {
    ...{
      group: 'guests',
      schema: v.oneOf('qemu', 'multipass', 'memory'),
      value: 'DRIVER',
      default: 'qemu',
    },
    help: 'what runs the guests: qemu, multipass, or memory for tests',
  },
  'allow-emulation': {
    ...{ group: 'guests', schema: v.toggle, default: 'false' },
    help: 'run guests without hardware virtualisation, some 20 times slower',
  },
  'image-dir': {
    ...{ group: 'guests', schema: v.path, value: 'DIR', multiple: true, path: true },
    help: 'folder of guest images',
  },
  'image-cache': {
    ...{ group: 'guests', schema: v.wholeGiB(1, vm.storageGiB), value: 'SIZE', default: '20' },
    ...{
      help: 'how much disk images may take; those that guests need stay',
      unit: 'GiB',
      live: true,
    },
  },
  'only-local-images': {
    ...{ group: 'guests', schema: v.toggle, default: 'false' },
    help: 'offer no image that would have to be downloaded',
  },

  network: {
    ...{ group: 'network', schema: v.oneOf(...NETWORKS), value: 'KIND', default: 'auto' },
    help: 'tap (as root), pasta, or restricted: no network, for tests; auto takes what works',
  },
  'accept-unisolated': {
    ...{ group: 'network', schema: v.toggle, default: 'false' },
    help: 'offer guests that reach this machine and its neighbours; the offer says so',
  },
  'multipass-rules': {
    ...{ group: 'network', schema: v.toggle, default: 'false' },
    help: "keep guests of Multipass, the operator's own too, from this machine's networks (as root)",
  },
  'guest-network': {
    ...{ group: 'network', schema: v.privateNetwork, value: 'NETWORK' },
    ...{ help: "what guests' addresses are of", otherwise: 'one that is not in use, for tap' },
  },
  'guest-dns': {
    ...{ group: 'network', schema: v.guestResolver, value: 'ADDRESS', multiple: true },
    ...{ help: 'name server of guests', otherwise: '1.1.1.1 and 9.9.9.9' },
  },
  'public-address': {
    ...{ group: 'network', schema: v.ipv4, value: 'ADDRESS', multiple: true },
    ...{ help: 'public address of this provider, which is closed to guests' },
    otherwise: 'what discovery sees',
  },
  'guest-bandwidth': {
    ...{ group: 'network', schema: v.whole(1, 100_000), value: 'MBIT', unit: 'Mbit/s', live: true },
    ...{ help: 'what a guest may send, and what it may receive', default: '100' },
  },
  'month-traffic': {
    ...{ group: 'network', schema: v.wholeGiB(1, 1024 * 1024), value: 'SIZE', live: true },
    ...{ help: 'traffic of all guests in a month', otherwise: 'no end', unit: 'GiB' },
  },
  'trickle-bandwidth': {
    ...{ group: 'network', schema: v.whole(16, 1_000_000), value: 'KBIT', live: true },
    ...{ help: 'what a guest may use when the month is used up', unit: 'kbit/s', default: '256' },
  },

  cpus: {
    ...{ group: 'shares', schema: v.share(v.whole(1, vm.cpus)), value: 'N|%', unit: 'CPUs' },
    ...{ help: 'CPUs to share', otherwise: 'all but the reserve', live: true },
  },
  'cpu-overcommit': {
    ...{ group: 'shares', schema: v.factor(16), value: 'TIMES', default: '1' },
    ...{ help: 'how many CPUs of guests share one of this machine', live: true },
  },
  memory: {
    ...{ group: 'shares', schema: v.share(v.size(vm.memoryMiB)), value: 'SIZE|%', unit: 'GiB' },
    ...{ help: 'memory to share', otherwise: 'all but the reserve', live: true },
  },
  storage: {
    ...{ group: 'shares', schema: v.share(v.wholeGiB(1, vm.storageGiB)), value: 'SIZE|%' },
    ...{ help: 'disk to share', otherwise: 'what is free but the reserve', unit: 'GiB' },
    live: true,
  },
  'max-vms': {
    ...{ group: 'shares', schema: v.whole(0, 10_000), value: 'N', default: '16', unit: 'VMs' },
    ...{ help: 'how many VMs at most', live: true },
  },
  'reserve-cpus': {
    ...{ group: 'shares', schema: v.whole(0, vm.cpus), value: 'N', default: '1', unit: 'CPUs' },
    ...{ help: 'CPUs that stay with this machine where cpus is not set', live: true },
  },
  'reserve-memory': {
    ...{ group: 'shares', schema: v.size(vm.memoryMiB), value: 'SIZE', default: '2', unit: 'GiB' },
    ...{ help: 'memory that stays with this machine', live: true },
  },
  'reserve-storage': {
    ...{ group: 'shares', schema: v.wholeGiB(0, vm.storageGiB), value: 'SIZE', default: '10' },
    ...{ help: 'disk that stays with this machine', unit: 'GiB', live: true },
  },
  'reserve-disk': {
    ...{ group: 'shares', schema: v.toggle, default: 'false' },
    help: 'give every disk all of its room when it is made, with qemu',
  },
  'min-cpus': {
    ...{ group: 'shares', schema: v.whole(1, vm.cpus), value: 'N', default: '1', live: true },
    ...{ help: 'the fewest CPUs that a VM is rented with', unit: 'CPUs' },
  },
  'min-memory': {
    ...{ group: 'shares', schema: v.size(vm.memoryMiB), value: 'SIZE', default: '64M' },
    ...{ help: 'the least memory that a VM is rented with', live: true },
  },
  'min-storage': {
    ...{ group: 'shares', schema: v.wholeGiB(1, vm.storageGiB), value: 'SIZE', default: '1' },
    ...{ help: 'the smallest disk that a VM is rented with', unit: 'GiB', live: true },
  },
  'stop-at-cpu': {
    ...{ group: 'shares', schema: v.percent, value: '%', default: '90%', live: true },
    help: 'take no more VMs while other work keeps the CPUs as busy; 100% is never',
  },
  'stop-at-memory': {
    ...{ group: 'shares', schema: v.percent, value: '%', default: '90%', live: true },
    help: 'take no more VMs while as much memory is in use',
  },
  'stop-at-disk': {
    ...{ group: 'shares', schema: v.percent, value: '%', default: '90%', live: true },
    help: 'take no more VMs while the disk is as full',
  },

  'price-cpu': {
    ...{ group: 'prices', schema: v.usd, value: 'USD', default: '0.005', live: true },
    ...{ help: 'of one CPU for an hour', unit: 'USD' },
  },
  'price-memory': {
    ...{ group: 'prices', schema: v.usd, value: 'USD', default: '0.002', live: true },
    ...{ help: 'of one GiB of memory for an hour', unit: 'USD' },
  },
  'price-storage': {
    ...{ group: 'prices', schema: v.usd, value: 'USD', default: '0.0001', live: true },
    ...{ help: 'of one GiB of disk for an hour', unit: 'USD' },
  },

  lease: {
    ...{ group: 'leases', schema: v.duration(60, vm.lifeSeconds), value: 'TIME', default: '24h' },
    help: 'how long a VM is rented for, unless its owner renews that',
  },
  'lease-max': {
    ...{ group: 'leases', schema: v.duration(60, vm.lifeSeconds), value: 'TIME', default: '30d' },
    help: 'the longest lease that an owner may ask for at a time',
  },
  'lease-grace': {
    ...{ group: 'leases', schema: v.duration(60, vm.lifeSeconds), value: 'TIME', default: '24h' },
    help: 'how long the disk is kept of a VM whose lease has ended',
  },
  'orphan-grace': {
    ...{ group: 'leases', schema: v.duration(3600, vm.lifeSeconds), value: 'TIME', default: '7d' },
    help: 'how long a leftover guest is reported before it is removed',
  },

  access: {
    ...{ group: 'access', schema: v.oneOf('public', 'listed'), value: 'WHO', default: 'public' },
    ...{ help: 'public: everybody, or listed: only those of allow', live: true },
  },
  allow: {
    ...{ group: 'access', schema: v.requestorId, value: 'ID', multiple: true, live: true },
    help: 'a requestor who is known; all others are strangers',
  },
  deny: {
    ...{ group: 'access', schema: v.requestorId, value: 'ID', multiple: true, live: true },
    help: 'a requestor who gets nothing new; what they have stays theirs',
  },
  'max-vms-per-requestor': {
    ...{ group: 'access', schema: v.whole(1, 10_000), value: 'N', unit: 'VMs', live: true },
    ...{ help: 'how many VMs one requestor may have', otherwise: 'no bound' },
  },
  'max-cpus-per-requestor': {
    ...{ group: 'access', schema: v.whole(1, vm.cpus), value: 'N', unit: 'CPUs', live: true },
    ...{ help: 'how many CPUs one requestor may have', otherwise: 'no bound' },
  },
  'max-memory-per-requestor': {
    ...{ group: 'access', schema: v.size(vm.memoryMiB), value: 'SIZE', unit: 'GiB', live: true },
    ...{ help: 'how much memory one requestor may have', otherwise: 'no bound' },
  },
  'max-vms-of-strangers': {
    ...{ group: 'access', schema: v.whole(0, 10_000), value: 'N', unit: 'VMs', live: true },
    ...{ help: 'how many VMs all strangers together may have', otherwise: 'no bound' },
  },
  'max-cpus-of-strangers': {
    ...{ group: 'access', schema: v.whole(0, vm.cpus), value: 'N', unit: 'CPUs', live: true },
    ...{ help: 'how many CPUs all strangers together may have', otherwise: 'no bound' },
  },
  'max-memory-of-strangers': {
    ...{ group: 'access', schema: v.size(vm.memoryMiB), value: 'SIZE', unit: 'GiB', live: true },
    ...{ help: 'how much memory all strangers together may have', otherwise: 'no bound' },
  },

  'relay-grace': {
    ...{ group: 'sessions', schema: v.whole(1, relay.graceMaxSeconds), value: 'SECONDS' },
    ...{ help: 'how long a cut SSH session is kept', unit: 'seconds' },
    default: String(relay.graceSeconds),
  },
  'relay-window': {
    ...{ group: 'sessions', value: 'KIB', unit: 'KiB' },
    schema: v.whole(relay.windowMinBytes / KIB, relay.windowMaxBytes / KIB),
    ...{ help: 'the most an SSH session has under way', default: `${relay.windowMaxBytes / KIB}` },
  },
  'relay-memory': {
    ...{ group: 'sessions', schema: v.whole(1, 1024 * 1024), value: 'MIB', unit: 'MiB' },
    help: 'what all SSH sessions have under way together',
    default: `${relay.budgetBytes / KIB / KIB}`,
  },

  metrics: {
    ...{ group: 'log', schema: v.whole(1, 65_535), value: 'PORT', otherwise: 'none' },
    help: 'serve Prometheus metrics at this port of 127.0.0.1',
  },
  'log-level': {
    ...{ group: 'log', value: 'LEVEL', default: 'info', live: true },
    schema: v.oneOf('trace', 'debug', 'info', 'warn', 'error'),
    help: 'trace, debug, info, warn or error',
  },
  'log-file': {
    ...{ group: 'log', schema: v.fileOrDash, value: 'FILE', path: true },
    ...{ help: 'write the log there; - is stderr', otherwise: 'log/provider.log in the data-dir' },
  },
} as const satisfies Record<string, Setting>;

export type SettingName = keyof typeof SETTINGS;
export const SETTING_NAMES = Object.keys(SETTINGS) as SettingName[];

export function settingOf(name: SettingName): Setting {
  return SETTINGS[name];
}

export function isSettingName(name: string): name is SettingName {
  return Object.hasOwn(SETTINGS, name);
}
