import type { Batch, BatchesOptions } from '../stream/batch.js'

/** A stream as a gateway uses it: `pubsub.stream(name)`, or the feed of a table. */
export interface StreamSource {
  batches(options?: BatchesOptions): AsyncIterable<Batch<unknown>>
  /** Where clients may publish. */
  append?(payload: unknown): Promise<unknown>
}

/** A channel as a gateway uses it: `pubsub.channel(name)`. */
export interface ChannelSource {
  readonly name: string
  publish(message: unknown): Promise<void>
  subscribe(
    listener: (message: unknown) => void,
    options?: { readonly onGap?: (() => void) | undefined },
  ): Promise<{ close(): Promise<void> }>
}

export type Source = StreamSource | ChannelSource

export function isStream(source: Source): source is StreamSource {
  return 'batches' in source
}
