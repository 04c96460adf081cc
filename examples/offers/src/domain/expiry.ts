import type { Board } from '../board.js'
import { forgetHotLists } from './hot-lists.js'
import type { OfferJob } from './jobs.js'

/** Marks an offer as over, once its end has come by the database's clock. */
export async function expireOffer({ db, cache, events }: Board, { offerId }: OfferJob) {
  await db.transaction(async (tx) => {
    // A job's time is kept in milliseconds and the column in microseconds, so the job may be early by a fraction.
    const { rows } = await tx.query(
      /* sql */ `
      update offers_board.offer set status = 'expired'
      where id = $1::bigint and status = 'active' and ends_at <= now() + interval '1 ms'
      returning id`,
      [offerId],
    )
    if (rows.length === 0) return
    await forgetHotLists(cache, tx)
    await events.publish({ kind: 'expired', offerId }, { client: tx })
  })
}
