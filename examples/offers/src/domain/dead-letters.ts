import type { Queryable } from '@howdah/core'
import type { Board } from '../board.js'

/** A mail that could not be sent, as the administrator sees it. */
export interface DeadMail {
  readonly id: string
  readonly email: string
  readonly offerId: string
  readonly title: string
  readonly attempts: number
  readonly error: string
  readonly diedAt: number
}

/** Lists the mails that were given up, the newest first, with the names behind their ids. */
export async function deadMails({ jobs, pool }: Board): Promise<DeadMail[]> {
  const letters = await jobs.mails.deadLetters({ limit: 100 })
  const { rows } = await pool.query<{ id: string; email: string; title: string }>({
    text: /* sql */ `
      select l.id, m.email, o.title
      from unnest($1::text[], $2::bigint[], $3::bigint[]) as l (id, member_id, offer_id)
      join offers_board.member m on m.id = l.member_id
      join offers_board.offer o on o.id = l.offer_id`,
    values: [
      letters.map((letter) => letter.id),
      letters.map((letter) => letter.payload.memberId),
      letters.map((letter) => letter.payload.offerId),
    ],
  })
  const names = new Map(rows.map((row) => [row.id, row]))
  return letters.map(({ id, payload, attempts, error, diedAt }) => ({
    id,
    email: names.get(id)?.email ?? 'nobody',
    offerId: payload.offerId,
    title: names.get(id)?.title ?? 'no offer',
    attempts,
    // The queue keeps the stack; its first line says enough here.
    error: (error ?? '').split('\n')[0] ?? '',
    diedAt: diedAt.getTime(),
  }))
}

/** A mailbox that refuses mail. */
export interface FullMailbox {
  readonly id: string
  readonly email: string
}

export async function fullMailboxes(db: Queryable): Promise<FullMailbox[]> {
  const { rows } = await db.query({
    text: 'select id::text, email from offers_board.member where not accepts_mail order by email',
  })
  return rows
}

/** Makes a mailbox take mail, or refuse it. */
export async function setMailbox(db: Queryable, memberId: string, open: boolean): Promise<void> {
  await db.query({
    text: 'update offers_board.member set accepts_mail = $2::boolean where id = $1::bigint',
    values: [memberId, open],
  })
}
