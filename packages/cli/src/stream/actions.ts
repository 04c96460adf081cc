import type { After, GroupStats, PubSub, StreamStats } from '@howdah/pubsub'
import { confirm } from '../confirm.js'
import type { CommonOptions } from '../connection.js'
import { cliError } from '../errors.js'
import { type ActOptions, notFound, withPackage } from '../looking.js'
import { brief, duration, plain, show, size, table, time } from '../output.js'

interface MessagesOptions extends CommonOptions {
  readonly after?: string
  readonly limit: number
}
interface DeadOptions extends CommonOptions {
  readonly after: string
  readonly limit: number
}

export async function list(options: CommonOptions): Promise<void> {
  const stats = await withPubSub(options, (pubsub) => pubsub.stats())
  const { streams, unsequenced, oldestUnsequencedMs } = stats
  show(options.json, { streams, unsequenced }, () => {
    const waiting =
      unsequenced === 0
        ? ''
        : `${unsequenced} messages are not in order yet, the oldest for ${duration(oldestUnsequencedMs)}: nobody reads.\n`
    return (
      table(
        ['stream', 'head', 'floor', 'messages', 'bytes', 'groups'],
        streams.map((row) => [
          row.name,
          row.head,
          row.floor,
          row.messages,
          size(row.bytes),
          stats.groups.filter(({ stream }) => stream === row.name).length,
        ]),
        'There are no streams.',
      ) + waiting
    )
  })
}

export async function groups(name: string | undefined, options: CommonOptions): Promise<void> {
  const found = await withPubSub(options, async (pubsub) => {
    const stats = await pubsub.stats()
    if (name !== undefined) streamIn(stats, name)
    return stats.groups.filter(({ stream }) => name === undefined || stream === name)
  })
  show(options.json, { groups: found }, () =>
    table(
      ['stream', 'group', 'mode', 'lag', 'pending', 'dead', 'members'],
      found.map((row) => [
        row.stream,
        row.name,
        row.mode,
        row.lag,
        row.pending,
        row.dead,
        row.members,
      ]),
      'There are no groups.',
    ),
  )
}

export async function messages(name: string, options: MessagesOptions): Promise<void> {
  const { after, limit } = options
  const batch = await withPubSub(options, async (pubsub) => {
    const { head, floor } = streamIn(await pubsub.stats(), name)
    const from = after === undefined ? Math.max(floor - 1, head - limit) : positionOf(after)
    return pubsub.stream(name).read({ after: from, limit })
  })
  show(options.json, { stream: name, ...batch }, () => {
    const gap = batch.continuity === 'ok' ? '' : `What follows is ${batch.continuity}.\n`
    return (
      gap +
      table(
        ['offset', 'at', 'key', 'payload'],
        batch.messages.map((message) => [
          message.offset,
          time(message.at),
          message.key,
          brief(message.payload, 100),
        ]),
        'There are no messages.',
      ) +
      (batch.messages.length < limit ? '' : `More: --after ${batch.next}\n`)
    )
  })
}

export async function deadLetters(
  stream: string,
  group: string,
  options: DeadOptions,
): Promise<void> {
  const [after = 0] = offsetsOf([options.after])
  const letters = await withGroup(stream, group, options, (found) =>
    found.deadLetters({ after, limit: options.limit }),
  )
  show(options.json, { stream, group, letters }, () =>
    table(
      ['offset', 'died', 'attempts', 'key', 'payload', 'error'],
      letters.map((letter) => [
        letter.offset,
        time(letter.at),
        letter.attempts,
        letter.key,
        brief(letter.payload, 60),
        letter.error?.split('\n')[0]?.slice(0, 80),
      ]),
      'Nothing is dead.',
    ),
  )
}

export async function retry(
  stream: string,
  group: string,
  texts: readonly string[],
  options: ActOptions,
): Promise<void> {
  const offsets = offsetsOf(texts)
  const retried = await withGroup(stream, group, options, async (found, { dead }) => {
    if (offsets.length === 0 && dead > 0) {
      await ask(options, `Give all ${dead} dead letters of '${group}' out anew?`)
    }
    return found.redrive(offsets.length === 0 ? undefined : offsets)
  })
  show(options.json, { stream, group, retried }, () => `${retried} messages are given out anew.\n`)
}

export async function purge(
  stream: string,
  group: string,
  texts: readonly string[],
  options: ActOptions,
): Promise<void> {
  const offsets = offsetsOf(texts)
  const purged = await withGroup(stream, group, options, async (found, { dead }) => {
    const n = offsets.length === 0 ? dead : offsets.length
    if (n > 0) await ask(options, `Forget ${n} dead letter(s) of '${group}' for good?`)
    return found.forget(offsets.length === 0 ? undefined : offsets)
  })
  show(options.json, { stream, group, purged }, () => `${purged} dead letters are forgotten.\n`)
}

export async function drop(name: string, options: ActOptions): Promise<void> {
  await withPubSub(options, async (pubsub) => {
    const { messages: count } = streamIn(await pubsub.stats(), name)
    await ask(options, `Drop stream '${name}' with its ${count} messages and all its groups?`)
    await pubsub.stream(name).drop()
  })
  show(options.json, { stream: name, dropped: true }, () => `${plain(name)} is dropped.\n`)
}

function withPubSub<T>(options: CommonOptions, work: (pubsub: PubSub) => Promise<T>): Promise<T> {
  return withPackage('pubsub', options, async (module, db) => {
    await using pubsub = new module.PubSub({ pool: db })
    return await work(pubsub)
  })
}

/** A group object would make the group, so it is looked for first. */
function withGroup<T>(
  stream: string,
  name: string,
  options: CommonOptions,
  work: (group: ReturnType<ReturnType<PubSub['stream']>['group']>, row: GroupStats) => Promise<T>,
): Promise<T> {
  return withPubSub(options, async (pubsub) => {
    const stats = await pubsub.stats()
    const row = stats.groups.find((one) => one.stream === stream && one.name === name)
    if (row === undefined) {
      throw notFound(`group '${name}' of stream '${stream}'`, 'howdah stream groups')
    }
    return work(pubsub.stream(stream).group(name, { mode: row.mode as 'shared' }), row)
  })
}

function streamIn(stats: { readonly streams: readonly StreamStats[] }, name: string): StreamStats {
  const row = stats.streams.find((one) => one.name === name)
  if (row === undefined) throw notFound(`stream '${name}'`, 'howdah stream list')
  return row
}

/** An offset alone is a number to a stream; anything else it judges itself. */
function positionOf(text: string): After {
  return /^\d{1,15}$/.test(text) ? Number(text) : (text as 'earliest')
}

function offsetsOf(texts: readonly string[]): number[] {
  for (const text of texts) {
    if (!/^\d{1,15}$/.test(text))
      throw cliError('CLI_INVALID_OPTION', 'An offset is a whole number.')
  }
  return texts.map(Number)
}

async function ask({ yes = false }: ActOptions, question: string): Promise<void> {
  if (!yes) await confirm(question)
}
