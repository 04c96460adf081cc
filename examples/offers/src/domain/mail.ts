import type { Queryable } from '@howdah/core'
import type { Board } from '../board.js'
import type { MailJob, OfferJob } from './jobs.js'

/** A mail in the outbox. */
export interface Mail {
  readonly id: string
  readonly offerId: string
  readonly subject: string
  readonly sentAt: number
}

/** Adds one mail job for every follower of the offer's institution, so that one bad address fails alone. */
export async function announceOffer({ pool, jobs }: Board, { offerId }: OfferJob): Promise<void> {
  const { rows } = await pool.query<{ memberId: string }>({
    text: /* sql */ `
      select f.member_id::text as "memberId"
      from offers_board.offer o join offers_board.follow f using (institution)
      where o.id = $1::bigint`,
    values: [offerId],
  })
  await jobs.mails.addMany(rows.map(({ memberId }) => ({ offerId, memberId })))
}

/**
 * "Sends" one mail: writes it to the outbox. A job runs at least once, so the insert must be safe to repeat.
 *
 * @throws Error when the mailbox takes no mail; the queue then tries again, and keeps the job as a dead letter in the end
 */
export async function sendMail({ db, events }: Board, { offerId, memberId }: MailJob) {
  await db.transaction(async (tx) => {
    const { rows } = await tx.query(
      /* sql */ `
      select m.email, m.accepts_mail as "acceptsMail", o.institution || ': ' || o.title as subject
      from offers_board.member m, offers_board.offer o
      where m.id = $1::bigint and o.id = $2::bigint`,
      [memberId, offerId],
    )
    const { email, acceptsMail, subject } = rows[0]
    if (!acceptsMail) throw new Error(`552 ${email}: mailbox full`)
    await tx.query(
      /* sql */ `
      insert into offers_board.mail (member_id, offer_id, subject)
      values ($1::bigint, $2::bigint, $3::text)
      on conflict (member_id, offer_id) do nothing`,
      [memberId, offerId, subject],
    )
    const mails = await countMails(tx, memberId)
    await events.publish({ kind: 'mailed', memberId, mails }, { client: tx })
  })
}

/** Lists a member's mails, the newest first. */
export async function mailsOf(db: Queryable, memberId: string): Promise<Mail[]> {
  const { rows } = await db.query({
    text: /* sql */ `
      select id::text, offer_id::text as "offerId", subject,
        (extract(epoch from sent_at) * 1000)::double precision as "sentAt"
      from offers_board.mail where member_id = $1::bigint
      order by sent_at desc, id desc limit 100`,
    values: [memberId],
  })
  return rows
}

/** Counts a member's mails. */
export async function countMails(db: Queryable, memberId: string): Promise<number> {
  const { rows } = await db.query({
    text: 'select count(*)::int as n from offers_board.mail where member_id = $1::bigint',
    values: [memberId],
  })
  return rows[0].n
}
