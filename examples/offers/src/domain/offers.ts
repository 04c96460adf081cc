import type { Queryable } from '@howdah/core'

/** What an offer is about; also the values of the search page's first facet. */
export const CATEGORIES = [
  'Checking',
  'Savings',
  'Credit card',
  'Brokerage',
  'Insurance',
  'Mobile plan',
  'Broadband',
  'Energy',
] as const

/** One offer as the pages show it. Times are milliseconds since the epoch. */
export interface Offer {
  readonly id: string
  readonly title: string
  readonly body: string
  readonly institution: string
  readonly category: string
  readonly bonus: number
  readonly status: 'active' | 'expired'
  readonly views: number
  readonly publishedAt: number
  readonly endsAt: number
}

const SELECT_OFFER = /* sql */ `
  select o.id::text, o.title, o.body, o.institution, o.category, o.bonus, o.status,
    coalesce(v.views, 0) as views,
    (extract(epoch from o.published_at) * 1000)::double precision as "publishedAt",
    (extract(epoch from o.ends_at) * 1000)::double precision as "endsAt"
  from offers_board.offer o
  left join offers_board.offer_views v on v.offer_id = o.id`

/** Answers the offers with these ids, in the order of the ids. */
export async function offersById(db: Queryable, ids: readonly string[]): Promise<Offer[]> {
  const { rows } = await db.query({
    text: `${SELECT_OFFER} where o.id = any($1::bigint[])
      order by array_position($1::bigint[], o.id)`,
    values: [ids],
  })
  return rows
}

/** Answers one offer, or `undefined` where there is none. */
export async function offerById(db: Queryable, id: string): Promise<Offer | undefined> {
  return (await offersById(db, [id]))[0]
}

/** Answers the active offers published last. */
export async function newestOffers(db: Queryable, limit: number): Promise<Offer[]> {
  const { rows } = await db.query({
    text: `${SELECT_OFFER} where o.status = 'active'
      order by o.published_at desc, o.id desc limit $1::int`,
    values: [limit],
  })
  return rows
}

/** Answers the active offers that were looked at most. */
export async function mostViewedOffers(db: Queryable, limit: number): Promise<Offer[]> {
  const { rows } = await db.query({
    text: `${SELECT_OFFER} where o.status = 'active' and v.views > 0
      order by v.views desc, o.id limit $1::int`,
    values: [limit],
  })
  return rows
}

/** Answers the active offers that end next. */
export async function endingOffers(db: Queryable, limit: number): Promise<Offer[]> {
  const { rows } = await db.query({
    text: `${SELECT_OFFER} where o.status = 'active' and o.ends_at > now()
      order by o.ends_at, o.id limit $1::int`,
    values: [limit],
  })
  return rows
}

/** Counts one look at an offer and answers how many there were. */
export async function countView(db: Queryable, offerId: string): Promise<number> {
  const { rows } = await db.query({
    text: /* sql */ `
      insert into offers_board.offer_views as v (offer_id, views) values ($1::bigint, 1)
      on conflict (offer_id) do update set views = v.views + 1
      returning views`,
    values: [offerId],
  })
  return rows[0].views
}
