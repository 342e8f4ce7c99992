/** Every bound on what comes from outside, with its reason. Sizes in bytes, times in the named unit. */

const KiB = 1024;
const MiB = 1024 * KiB;

export const LIMITS = {
  request: {
    /** A create with the largest user data and key; everything else is far smaller. */
    bodyBytes: 64 * KiB,
    /** Browsers and proxies stop at 8 KiB; no path of ours comes near. */
    urlBytes: 4 * KiB,
    /** Signature, digest and key headers together take about 600 bytes. */
    headerValueBytes: 2 * KiB,
    idempotencyKeyChars: 64,
  },
  signature: {
    /** The longest life that a signer may give a request, in seconds. */
    lifetimeSeconds: 60,
    /** Home clocks drift; more than this is worth an error that says so. */
    clockSkewSeconds: 30,
    /** Per key: at one request a millisecond a nonce set stays below 10 MB. */
    noncesPerKey: 2_000,
    noncesTotal: 50_000,
    nonceChars: 32,
  },
  succession: {
    /** Enough for every try of one command; whoever gets the old key later gets no use of it. */
    consentMillis: 600_000,
  },
  control: {
    /** One message on the control socket. Twice the largest body leaves room for JSON escapes. */
    messageBytes: 256 * KiB,
    /** Requests that one agent may have unanswered; the next gets `provider_busy`. */
    inFlight: 64,
    /** An agent that does not answer within this is silent. Long polls are held at most 25 s. */
    answerSeconds: 30,
    /** An agent's answer is whole and bounded; lists page. */
    answerBytes: 128 * KiB,
    /** Agent and hub agree that a socket is dead after this long without a sign of life. */
    silenceSeconds: 45,
    /** WebSocket pings from the agent: keep NAT bindings (often 60 s) and wake nobody. */
    pingSeconds: 25,
    /** Text pings, auto-answered without waking the hub; leave the timestamp that sweeps read. */
    textPingSeconds: 240,
    /** How long a provider stays listed after its socket broke without a close. */
    graceSeconds: 30,
    /** The first message of an agent, its offer, must come within this. */
    helloSeconds: 10,
  },
  offer: {
    bytes: 8 * KiB,
    nameChars: 40,
    images: 64,
  },
  operation: {
    /** Seconds that a page of events is held open for. Below every proxy's 30 s. */
    waitSeconds: 25,
    pageEvents: 100,
  },
  vm: {
    nameChars: 40,
    perPage: 100,
    userDataBytes: 16 * KiB,
    sshKeys: 8,
    sshKeyBytes: 1 * KiB,
    /** Larger than any machine that exists; keeps sums of prices exact. */
    cpus: 512,
    memoryMiB: 16 * 1024 * 1024,
    storageGiB: 1024 * 1024,
    /** An operator's words to an owner. */
    reasonChars: 200,
    /** A disk with more of them gets slow, and nobody finds their way. */
    snapshots: 16,
    /** What a guest gets to shut down before the plug is pulled; most take a few seconds. */
    stopGraceSeconds: 120,
    /** Keys that one VM is shared with. */
    grants: 16,
    /** A lease or a time to live that is longer than a year means for ever. */
    lifeSeconds: 366 * 24 * 3600,
    /** Of the end of a serial console, in one answer. */
    consoleBytes: 64 * KiB,
    /** Events of a VM, or records of usage, in one page. */
    pageRecords: 200,
  },
  list: {
    pageDefault: 20,
    pageMax: 100,
    cursorChars: 256,
  },
  relay: {
    /** Payload of one DATA frame: the sweet spot of `ws` and workerd alike. */
    payloadBytes: 64 * KiB,
    /** What a receiver grants before it knows more. */
    windowBytes: 1 * MiB,
    /** No receiver may grant more: this is what a relay can be made to hold for one direction. */
    windowMaxBytes: 4 * MiB,
    /** Below this a window costs more in acknowledgements than it saves in memory. */
    windowMinBytes: 256 * KiB,
    /** What all sessions of one process may hold, both ways: 32 of them with the largest window. */
    budgetBytes: 256 * MiB,
    /** A receiver acknowledges at least this often, in bytes and in milliseconds. */
    ackBytes: 256 * KiB,
    ackMillis: 25,
    /** From the requestor's upgrade to the agent's leg. The guest's sshd is dialled in between. */
    pairSeconds: 15,
    /** How long a session is held whose connection was lost: a router restarts in less. */
    graceSeconds: 120,
    /** No setting makes it longer: whoever is away so long begins a new session. */
    graceMaxSeconds: 3_600,
    /** A relay probes so often whether a receiver reads what it acknowledges. */
    probeBytes: 1 * MiB,
    /**
     * How far the oldest unanswered probe may lie back. A receiver that echoes before it
     * acknowledges is never further behind than the largest window.
     */
    unprobedBytes: 4 * MiB,
    /** Silence after which the line of a session in use is pinged, and taken for lost. */
    busyPingSeconds: 5,
    busyLostSeconds: 15,
    /** Relays that one provider may have open: bounds the agent's memory to 2 windows for each. */
    sessionsPerProvider: 256,
  },
} as const;
