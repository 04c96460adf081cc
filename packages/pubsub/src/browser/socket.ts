/** The part of a WebSocket that the client uses: a browser's, Node's, or that of the `ws` package. */
export interface BrowserSocket {
  onopen: ((event: never) => void) | null
  onmessage: ((event: never) => void) | null
  onclose: ((event: never) => void) | null
  onerror: ((event: never) => void) | null
  send(data: string): void
  close(code?: number): void
}

/** A constructor of {@link BrowserSocket}. */
export type BrowserSocketClass = new (url: string) => BrowserSocket
