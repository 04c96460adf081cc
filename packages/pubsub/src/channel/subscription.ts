import { type MessagesOptions, mustBeListener, resolveMaxBuffered } from '../options.js'
import type { Glob } from './glob.js'
import type { MessageContext } from './listeners.js'
import { Mailbox } from './mailbox.js'
import type { Subscriptions } from './subscriptions.js'

/** One listener's place on a channel or a pattern. */
export interface Subscription extends AsyncDisposable {
  /** Stops the messages. */
  close(): Promise<void>
}

/** Adds a listener to a channel or a pattern. */
export async function subscribe<T>(
  subscriptions: Subscriptions,
  what: string | Glob,
  listener: (message: T, context: MessageContext) => unknown,
  onGap?: () => unknown,
): Promise<Subscription> {
  mustBeListener(listener, onGap)
  const close = await subscriptions.add(what, {
    onMessage: listener as (message: unknown, context: MessageContext) => unknown,
    onGap: onGap ?? (() => {}),
  })
  return { close, [Symbol.asyncDispose]: close }
}

/** Iterates over the messages of a channel or a pattern, as `toItem` makes them. */
export async function* iterate<T, Item>(
  subscriptions: Subscriptions,
  what: string | Glob,
  { signal, maxBuffered, onGap }: MessagesOptions,
  toItem: (message: T, context: MessageContext) => Item,
): AsyncGenerator<Item, void, void> {
  const mailbox = new Mailbox<Item>(resolveMaxBuffered(maxBuffered), onGap ?? (() => {}))
  const end = () => mailbox.end()
  signal?.addEventListener('abort', end)
  if (signal?.aborted) end()
  const subscription = await subscribe<T>(
    subscriptions,
    what,
    (message, context) => mailbox.add(toItem(message, context)),
    () => mailbox.addGap(),
  )
  try {
    yield* mailbox.read()
  } finally {
    signal?.removeEventListener('abort', end)
    await subscription.close()
  }
}
