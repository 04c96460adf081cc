import { tone } from '../colour.js'
import { about, type Cell, duration, plain, size, table, time } from '../output.js'
import type { Rates } from './rates.js'
import type { Snapshot } from './snapshot.js'

/** How much room there is; without an end where nobody looks at a screen. */
export interface Room {
  readonly columns: number
  readonly rows: number
}

const perSecond = (value: number | null) => (value === null ? '-' : `${value.toFixed(1)}/s`)

/** A snapshot as text that fits. */
export function frame(snapshot: Snapshot, rates: Rates, { columns, rows }: Room): string {
  const parts = [
    queues(snapshot),
    caches(snapshot, rates),
    streams(snapshot),
    sessions(snapshot, rates),
  ]
  const there = parts.filter((part) => part !== undefined)
  // Two lines for the head; each part has a heading, a blank line and the names of its columns.
  const most = Math.max(1, Math.floor((rows - 2) / Math.max(1, there.length)) - 4)
  const text = [head(snapshot), ...there.map((part) => section(part, most))].join('\n')
  return text
    .split('\n')
    .map((line) => cut(line, columns))
    .join('\n')
}

interface Part {
  readonly heading: string
  readonly columns: readonly string[]
  readonly rows: readonly (readonly Cell[])[]
}

function head({ at, hubs, notificationQueueUsage: usage }: Snapshot): string {
  const full = `${(usage * 100).toFixed(1)} %`
  const processes =
    hubs === undefined
      ? ''
      : `  hubs ${hubs.listening} listening, ${hubs.polling} polling, ${hubs.quiet} quiet`
  const marked = usage < 0.01 ? full : tone('bad', full)
  return `${tone('loud', 'howdah top')}  ${time(at)}${processes}  notification queue ${marked}\n`
}

function section({ heading, columns, rows }: Part, most: number): string {
  const shown = rows.slice(0, most)
  const more = rows.length > most ? `and ${rows.length - most} more\n` : ''
  return `${tone('loud', heading)}\n${table(columns, shown, 'none')}${more}`
}

function queues({ queues: all }: Snapshot): Part | undefined {
  if (all === undefined) return undefined
  const busy = [...all].sort((a, b) => b.waiting + b.running - (a.waiting + a.running))
  const rate = (n: number) => (n / 60).toFixed(1)
  return {
    heading: 'Queues',
    columns: [
      'queue',
      'waiting',
      'delayed',
      'running',
      'dead',
      'oldest',
      'added/s',
      'done/s',
      'failed/s',
      'workers',
      '',
    ],
    rows: busy.map((row) => [
      row.name,
      row.waiting,
      row.delayed,
      row.running,
      row.dead,
      duration(row.oldest),
      rate(row.added),
      rate(row.completed),
      rate(row.failed),
      row.workers,
      row.paused ? 'paused' : '',
    ]),
  }
}

function caches({ namespaces }: Snapshot, { lookups, hitRate }: Rates): Part | undefined {
  if (namespaces === undefined) return undefined
  const hits = hitRate === null ? '-' : `${(hitRate * 100).toFixed(1)} %`
  return {
    heading: `Cache  hit rate ${hits}  look-ups ${perSecond(lookups)}`,
    columns: ['namespace', 'entries', 'bytes', 'kept in'],
    rows: [...namespaces]
      .sort((a, b) => b.bytes - a.bytes)
      .map((row) => [
        row.name,
        about(row.entries, row.estimated),
        size(row.bytes),
        row.logged ? 'logged' : 'unlogged',
      ]),
  }
}

function streams({ streams: all }: Snapshot): Part | undefined {
  if (all === undefined) return undefined
  const groups = [...all.groups].sort((a, b) => b.lag - a.lag)
  const alone = all.streams.filter(({ name }) => !groups.some(({ stream }) => stream === name))
  const of = (name: string) => all.streams.find((one) => one.name === name)
  return {
    heading: `Streams  ${all.unsequenced} not in order yet`,
    columns: ['stream', 'group', 'head', 'lag', 'pending', 'dead', 'members', 'bytes'],
    rows: [
      ...groups.map((row): Cell[] => [
        row.stream,
        row.name,
        of(row.stream)?.head,
        row.lag,
        row.pending,
        row.dead,
        row.members,
        size(of(row.stream)?.bytes ?? 0),
      ]),
      ...alone.map((row): Cell[] => [row.name, '', row.head, '', '', '', '', size(row.bytes)]),
    ],
  }
}

function sessions({ sessions: all }: Snapshot, rates: Rates): Part | undefined {
  if (all === undefined) return undefined
  return {
    heading: `Sessions  begun ${perSecond(rates.sessionsBegun)}  saved ${perSecond(rates.sessionsSaved)}  ended ${perSecond(rates.sessionsEnded)}`,
    columns: ['name', 'live', 'expired'],
    rows: all.map((row) => [
      row.name,
      about(row.live, row.estimated),
      about(row.expired, row.estimated),
    ]),
  }
}

/** Cuts a line to a width; colours take none. Without an end there is nothing to count. */
function cut(line: string, columns: number): string {
  if (!Number.isFinite(columns)) return line
  let width = 0
  let cutLine = ''
  for (const [part] of line.matchAll(/\p{Cc}\[[0-9;]*m|./gu)) {
    if (part.startsWith('\u001b')) cutLine += part
    else if (width++ < columns) cutLine += part
  }
  return cutLine
}

/** What is said in place of a frame while the server cannot be asked. */
export function unanswered(message: string): string {
  return `${tone('bad', 'The server does not answer:')} ${plain(message)}\n`
}
