/** The agent's own bounds, with their reasons. What the wire bounds is in shared/limits. */

import { LIMITS } from '@vm-on-golem/shared/limits';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

export const AGENT_LIMITS = {
  link: {
    /** TCP, TLS and the upgrade, over a bad mobile line. */
    connectMillis: 15 * SECOND,
    /** From our offer to the hub's welcome. */
    welcomeMillis: 10 * SECOND,
    /**
     * The first try after a connection that lasted is spread over this. A deploy cuts a million
     * agents off at once: a hub of a thousand admits a thousand a second, so this is a queue there
     * and no flood, and nobody who was cut off alone waits for longer than a page takes to load.
     */
    againMillis: 500,
    /** The tries after that. The cap keeps the list of providers fresh within a minute after an outage. */
    backoff: { firstMillis: 2 * SECOND, capMillis: 60 * SECOND },
    /** A hub that drains tells all its agents at once: they come back spread over this. */
    drainMillis: 2 * SECOND,
    /** Two agents with one key would take the place of each other for ever. */
    displacedMillis: 5 * MINUTE,
    /**
     * A connection that lasted this long was a good one, and tries are counted anew: a hub that takes
     * agents and breaks has broken by then, and a bad line that breaks more often is better left alone.
     */
    stableMillis: 10 * SECOND,
    /** Changes of the offer within this go out as one. */
    offerMillis: 250,
  },
  control: {
    /** macOS has room for 104 bytes of a socket's path, Linux for 108, each with a closing zero. */
    socketPathBytes: 103,
    /** Same machine: whoever takes longer to say what they want does not want it. */
    headersTimeoutMillis: 5 * SECOND,
    /** A busy machine pauses; an agent that is silent for longer hangs. */
    answerMillis: 10 * SECOND,
    /** An image may have to be downloaded first, and a cloud image takes minutes to boot under emulation. */
    probeMillis: 15 * MINUTE,
    /** A drain's reason is the longest thing that an operator says. */
    bodyBytes: 16 * 1024,
  },
  network: {
    /** How long rules that somebody else removed may be missing, and a network that is new be open. */
    refreshMillis: 15 * SECOND,
    /** How late it is seen that a month's traffic is used up, or that a cap was changed. */
    trafficMillis: MINUTE,
  },
  vms: {
    /** Download of a cloud image over a slow line. */
    imageMillis: HOUR,
    /** A cloud image under emulation takes a minute; a busy machine several. */
    launchMillis: 10 * MINUTE,
    /** What systemd gives services before it kills them, and some. */
    stopGraceMillis: LIMITS.vm.stopGraceSeconds * SECOND,
    /** After a restart of the host, whose disks and network may come up after the agent. */
    bootTries: 10,
    bootPauseMillis: 15 * SECOND,
    /** For how long the others wait for one: most are up by then, and two at once are no crowd. */
    bootTurnMillis: MINUTE,
    /** To suspend: its whole memory is written to the disk. To take a disk back to a snapshot. */
    changeMillis: 30 * MINUTE,
    /** How long disks are kept after a drain: operators promise a week. */
    drainGraceMillis: 7 * 24 * HOUR,
    /** Programs that order a VM and crash forget it; whoever waits for it asks within seconds. */
    collectMillis: 10 * MINUTE,
    /** How long it may take to notice, after the machine has slept, that a time is over. */
    leaseLookMillis: 30 * SECOND,
    /** How much of lease time a restart of the machine may lose. */
    leaseClockMillis: 5 * MINUTE,
    /** How often the hypervisor is asked what runs, to see guests that stopped by themselves. */
    reconcileMillis: 15 * SECOND,
    /** The same key gives the same answer for a day. */
    idempotencyMillis: 24 * HOUR,
    /** Of one owner in that time: three a minute, all day long. Each is some KiB on the disk. */
    commands: 5000,
    /**
     * VMs of one owner that had the machine and were never ready, within that time, before they get no new one:
     * nobody pays for them, and each may take `launchMillis`. Who gets their user data wrong needs a few.
     */
    failedCreations: 5,
    failedCreationsMillis: HOUR,
    /** How long finished operations can be read, and destroyed VMs are remembered. */
    historyMillis: 7 * 24 * HOUR,
    pruneMillis: HOUR,
    /** How long what a VM costs stays unsettled at most. */
    usageMillis: HOUR,
    /** Kept of each VM. A guest that reboots every minute makes no more rows than one that lives for years. */
    events: 500,
    /** A page stays well below LIMITS.control.answerBytes. */
    pageBytes: 64 * 1024,
    /** How often a console is looked at that somebody waits for: it is a file, and tells nobody. */
    consolePollMillis: 500,
    /** The rendered seed, user data included: what it grows by when it is written anew. */
    userDataBytes: 128 * 1024,
  },
  images: {
    /** Cloud images are below 1 GiB. */
    fileBytes: 8 * 1024 ** 3,
    /** One line for each file of a release. */
    checksumBytes: 1024 * 1024,
    manifestBytes: 64 * 1024,
    /** Publishers send on to their mirrors, some of which send on once more. */
    redirects: 5,
    /** A line on which nothing came for so long is dead. */
    stallMillis: MINUTE,
    /** What an agent that was killed has left half-fetched. */
    leftoverMillis: 24 * HOUR,
    /** From the image to the disk that is an overlay of it: nothing that was used so lately is removed. */
    recentMillis: HOUR,
  },
  host: {
    /** How often the machine is looked at: three looks that agree are less than a minute. */
    lookMillis: 15 * SECOND,
    /** How often guests are asked what they use, which is the minute that CPUs are judged by. */
    guestsMillis: MINUTE,
    /** Below this a guest that writes much fills the disk before anybody has come. */
    scarceBytes: 1024 ** 3,
    /** A command that tells about the machine. */
    commandMillis: 5 * SECOND,
  },
  metrics: {
    /** A Prometheus, perhaps two, and a person who looks. */
    connections: 8,
    requestMillis: 10 * SECOND,
  },
  log: {
    /** Opens in every editor, and holds weeks of a quiet provider. */
    fileBytes: 10 * 1024 * 1024,
    /** With the one that is written, 60 MB: no disk notices. */
    oldFiles: 5,
  },
  relay: {
    /** The agent's leg to the relay, within LIMITS.relay.pairSeconds. */
    legMillis: 10 * SECOND,
    /** The guest's sshd is on this machine. */
    guestMillis: 10 * SECOND,
    /** How long a close may go unanswered, or its connection stay open, before that is cut. */
    closeMillis: 2 * SECOND,
    /** A leg that is missed and older than this is not on its way: relays ask after 3 s. */
    staleMillis: 2 * SECOND,
    /** Sessions of an earlier run that are refused at once. */
    strangers: 16,
    /** Sessions that were ended here while their line was cut: their requestors are told when they come. */
    ended: 64,
  },
} as const;
