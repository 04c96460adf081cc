import type { Board } from '../board.js'
import { forgetHotLists } from './hot-lists.js'
import { type Offer, offerById } from './offers.js'

/** An offer about to be published; its values have been checked. */
export interface Draft {
  readonly title: string
  readonly body: string
  readonly institution: string
  readonly category: string
  readonly bonus: number
  /** Seconds from now to its end. */
  readonly runsFor: number
}

/**
 * Publishes an offer, in one transaction: the row with its entry in the search index, the job that mails the followers, the job
 * that waits for its end, the cached lists and the news to open pages. All of it happens, or nothing.
 */
export function publishOffer({ db, cache, events, jobs }: Board, draft: Draft): Promise<Offer> {
  return db.transaction(async (tx) => {
    const { rows } = await tx.query(
      /* sql */ `
      insert into offers_board.offer (title, body, institution, category, bonus, ends_at)
      values ($1::text, $2::text, $3::text, $4::text, $5::int, now() + $6::int * interval '1 second')
      returning id::text`,
      [draft.title, draft.body, draft.institution, draft.category, draft.bonus, draft.runsFor],
    )
    const offer = (await offerById(tx, rows[0].id)) as Offer
    const job = { offerId: offer.id }
    await jobs.announcements.add(job, { client: tx })
    await jobs.expiries.add(job, { client: tx, runAt: new Date(offer.endsAt) })
    await forgetHotLists(cache, tx)
    await events.publish(
      { kind: 'published', offerId: offer.id, title: offer.title },
      { client: tx },
    )
    return offer
  })
}
