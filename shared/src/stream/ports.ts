/** What a session stands between: a socket to the relay, bytes on this side, and a clock. */

/** A WebSocket that is open, as far as a session needs it. */
export interface FrameSocket {
  /** @param left is called when nobody reads the frame any more, whatever became of it */
  send(frame: Uint8Array, left?: () => void): void;
  /** A ping of the WebSocket protocol: the relay's end answers it and wakes nobody. */
  ping(): void;
  /** Never throws, whatever became of the socket. `reason` is 123 bytes at most. */
  close(code: number, reason: string): void;
  /** Lets go of the socket without a word: the other end is to take it for lost. */
  drop(): void;
  /** The handlers are set once, before any message can arrive. */
  listen(handlers: {
    readonly message: (frame: Uint8Array) => void;
    /** The answer to a ping, or a ping. */
    readonly alive: () => void;
    readonly closed: (code: number, reason: string) => void;
  }): void;
}

export interface ByteSink {
  /** Resolves when the bytes were taken; the session holds at most one window of them meanwhile. */
  write(bytes: Uint8Array): Promise<void>;
  end(): Promise<void>;
}

export interface Timers {
  /** @returns a function that cancels the call. */
  after(milliseconds: number, call: () => void): () => void;
}

export interface Clock extends Timers {
  /** Milliseconds since some moment; never goes back. */
  now(): number;
}
