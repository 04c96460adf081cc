import type { DatabaseSource } from '@howdah/core'
import { Queue } from '@howdah/queue'
import type { Board } from '../board.js'
import { expireOffer } from './expiry.js'
import { announceOffer, sendMail } from './mail.js'

export interface OfferJob {
  readonly offerId: string
}

export interface MailJob extends OfferJob {
  readonly memberId: string
}

/** The board's queues. */
export interface Jobs {
  /** Finds the followers of a new offer and adds one mail for each. */
  readonly announcements: Queue<OfferJob>
  readonly mails: Queue<MailJob>
  /** Waits for an offer's end. */
  readonly expiries: Queue<OfferJob>
}

/** Names the queues; costs nothing until they are used. */
export function openJobs(pool: DatabaseSource): Jobs {
  return {
    announcements: new Queue('offers.announcements', { pool }),
    mails: new Queue('offers.mails', { pool, attempts: 3, backoff: '250ms' }),
    expiries: new Queue('offers.expiries', { pool }),
  }
}

/** Works on all queues in this process until they are closed. Any number of processes may. */
export function startWorkers(board: Board): void {
  const { announcements, mails, expiries } = board.jobs
  announcements.work((job) => announceOffer(board, job.payload))
  expiries.work((job) => expireOffer(board, job.payload))
  const mailer = mails.work((job) => sendMail(board, job.payload), { concurrency: 4 })
  mailer.on('failed', (_job, _error, dead) => {
    // The page shows dead letters when it is opened anyway; a lost hint loses nothing.
    if (dead) board.events.publish({ kind: 'undelivered' }).catch(() => {})
  })
}
