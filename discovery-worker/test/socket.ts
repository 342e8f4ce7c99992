/** The client's end of a WebSocket whose messages and close can be awaited. */

export interface Closed {
  readonly code: number;
  readonly reason: string;
}

export class TestSocket {
  readonly closed: Promise<Closed>;
  readonly #socket: WebSocket;
  readonly #arrived: (string | ArrayBuffer)[] = [];
  readonly #waiting: PromiseWithResolvers<string | ArrayBuffer>[] = [];

  constructor(socket: WebSocket) {
    this.#socket = socket;
    const closed = Promise.withResolvers<Closed>();
    this.closed = closed.promise;
    socket.binaryType = 'arraybuffer';
    socket.addEventListener('message', ({ data }) => {
      const waiting = this.#waiting.shift();
      if (waiting) waiting.resolve(data);
      else this.#arrived.push(data);
    });
    socket.addEventListener('close', ({ code, reason }) => {
      closed.resolve({ code, reason });
      for (const { reject } of this.#waiting) reject(new Error(`closed: ${code} ${reason}`));
    });
    socket.accept();
  }

  send(data: string | Uint8Array): void {
    this.#socket.send(data);
  }

  close(code: number, reason: string): void {
    this.#socket.close(code, reason);
  }

  async next(): Promise<string | ArrayBuffer> {
    const data = this.#arrived.shift();
    if (data !== undefined) return data;
    const waiting = Promise.withResolvers<string | ArrayBuffer>();
    this.#waiting.push(waiting);
    return waiting.promise;
  }

  async text(): Promise<string> {
    const data = await this.next();
    if (typeof data !== 'string') throw new Error('expected text');
    return data;
  }

  async bytes(): Promise<Uint8Array> {
    const data = await this.next();
    if (typeof data === 'string') throw new Error(`expected bytes, got ${data}`);
    return new Uint8Array(data);
  }
}
