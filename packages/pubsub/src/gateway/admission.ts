import type { IncomingMessage } from 'node:http'
import type { Refusal, ResolvedGatewayOptions } from './options.js'

/** A connection that was let in. It counts until it is released. */
export interface Admitted<Ctx> {
  readonly context: Ctx
  readonly release: () => void
}

/** The status that answers a connection which is not let in. */
export type RefusedStatus = Refusal | 429 | 500 | 503

/**
 * Who is let in. A connection counts against the limits from before its context is asked for until it is released, so that many at once
 * cannot slip through.
 */
export class Admission<Ctx extends object> {
  readonly #options: ResolvedGatewayOptions<Ctx>
  readonly #onError: (error: unknown) => void
  readonly #perKey = new Map<string, number>()
  #admitted = 0

  constructor(options: ResolvedGatewayOptions<Ctx>, onError: (error: unknown) => void) {
    this.#options = options
    this.#onError = onError
  }

  async admit(request: IncomingMessage): Promise<Admitted<Ctx> | RefusedStatus> {
    const { maxClients, context } = this.#options
    if (!this.allowsOrigin(request)) return 403
    if (this.#admitted >= maxClients) return 503
    this.#admitted++
    try {
      const answer = await context(request)
      const admitted = typeof answer === 'number' ? answer : this.#countKey(answer)
      if (typeof admitted === 'number') this.#admitted--
      return admitted
    } catch (error) {
      this.#admitted--
      this.#onError(error)
      return 500
    }
  }

  /** Whether a page of this origin may connect. Only browsers send one, and always do where it matters. */
  allowsOrigin({ headers }: IncomingMessage): boolean {
    const { origin } = headers
    const { origins } = this.#options
    if (origin === undefined || origins === 'any') return true
    if (origins !== 'same') return origins.includes(origin)
    return URL.canParse(origin) && new URL(origin).host === headers.host?.toLowerCase()
  }

  #countKey(context: Ctx): Admitted<Ctx> | RefusedStatus {
    const limit = this.#options.maxClientsPerKey
    const key = limit?.key(context)
    if (limit !== undefined && key !== undefined) {
      const clients = this.#perKey.get(key) ?? 0
      if (clients >= limit.max) return 429
      this.#perKey.set(key, clients + 1)
    }
    return { context, release: once(() => this.#release(key)) }
  }

  #release(key: string | undefined): void {
    this.#admitted--
    if (key === undefined) return
    const left = (this.#perKey.get(key) ?? 1) - 1
    if (left > 0) this.#perKey.set(key, left)
    else this.#perKey.delete(key)
  }
}

function once(call: () => void): () => void {
  let called = false
  return () => {
    if (!called) call()
    called = true
  }
}
