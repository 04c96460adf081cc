import { type Duration, parseDuration } from '@howdah/core'
import { Command } from 'commander'
import { type CommonOptions, common, withDatabase } from '../connection.js'
import { describeError } from '../errors.js'
import { show } from '../output.js'
import { type EndSignal, untilSignal } from '../signals.js'
import { frame, unanswered } from './frame.js'
import { ratesBetween } from './rates.js'
import { openScreen } from './screen.js'
import { Observer, type Snapshot } from './snapshot.js'

interface TopOptions extends CommonOptions {
  readonly interval: string
  readonly once?: boolean
}

/** A look takes some ten milliseconds; a network that has frozen says nothing for ever. */
const ANSWER_MS = 5_000
const ENDLESS = { columns: Number.POSITIVE_INFINITY, rows: Number.POSITIVE_INFINITY }

/** The command `howdah top`. */
export function topCommand(): Command {
  return common(new Command('top'))
    .description('Watch queues, caches, streams and sessions; q ends it.')
    .option('--interval <duration>', 'how often to look', '2s')
    .option('--once', 'look once and end')
    .action(top)
}

async function top(options: TopOptions): Promise<void> {
  const { json, once = false } = options
  const every = parseDuration(options.interval as Duration, '--interval', { min: 50 })
  const signal = untilSignal()
  try {
    await withDatabase(
      options,
      async (db) => {
        const observer = await Observer.open(db)
        try {
          if (once) {
            const snapshot = await observer.look()
            const rates = ratesBetween(snapshot, undefined)
            show(json, { ...snapshot, rates }, () => frame(snapshot, rates, ENDLESS))
          } else if (json === true) {
            await watch(observer, every, signal, (snapshot, before) => {
              show(true, { ...snapshot, rates: ratesBetween(snapshot, before) }, () => '')
            })
          } else {
            await watchScreen(observer, every, signal)
          }
        } finally {
          await observer.close()
        }
      },
      { answerMs: ANSWER_MS },
    )
  } finally {
    signal.ignore()
  }
}

async function watchScreen(observer: Observer, every: number, signal: EndSignal): Promise<void> {
  const screen = openScreen(signal)
  try {
    await watch(
      observer,
      every,
      signal,
      (snapshot, before) => {
        screen.draw(frame(snapshot, ratesBetween(snapshot, before), screen.room))
      },
      (error) => screen.draw(unanswered(describeError(error).message)),
    )
  } finally {
    screen.close()
  }
}

/** Looks again and again until the signal. What fails is told and tried again; without somebody to tell, it ends the watch. */
async function watch(
  observer: Observer,
  every: number,
  signal: EndSignal,
  tell: (snapshot: Snapshot, before: Snapshot | undefined) => void,
  onError?: (error: unknown) => void,
): Promise<void> {
  let before: Snapshot | undefined
  while (!signal.ended) {
    try {
      const snapshot = await observer.look()
      tell(snapshot, before)
      before = snapshot
    } catch (error) {
      if (onError === undefined) throw error
      onError(error)
    }
    await pause(every, signal)
  }
}

async function pause(ms: number, signal: EndSignal): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const slept = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms)
  })
  await Promise.race([slept, signal.came])
  clearTimeout(timer)
}
