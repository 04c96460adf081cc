import type { Transaction } from '@howdah/core'
import type { Jobs } from '../domain/jobs.js'
import { INSTITUTIONS } from './institutions.js'
import { seedOffers } from './offers.js'

const OFFERS = 2400

/** Fills an empty board, in a few statements; does nothing on a board that has offers. Answers how many there are. */
export async function loadSeed(tx: Transaction, jobs: Jobs): Promise<number> {
  const { rows } = await tx.query('select count(*)::int as n from offers_board.offer')
  if (rows[0].n > 0) return rows[0].n
  await insertInstitutions(tx)
  await insertOffers(tx)
  await scheduleExpiries(tx, jobs)
  return OFFERS
}

async function insertInstitutions(tx: Transaction): Promise<void> {
  await tx.query(
    /* sql */ `
    insert into offers_board.institution (name, about)
    select name, about from jsonb_to_recordset($1::jsonb) as i (name text, about text)
    on conflict do nothing`,
    [JSON.stringify(INSTITUTIONS)],
  )
}

async function insertOffers(tx: Transaction): Promise<void> {
  await tx.query(
    /* sql */ `
    with seed as materialized (
      select nextval('offers_board.offer_id_seq') as id, s.*
      from (
        select * from jsonb_to_recordset($1::jsonb) as s (
          title text, body text, institution text, category text, bonus int, views int,
          age int, "endsIn" int
        )
        order by age desc
      ) s
    ), loaded as (
      insert into offers_board.offer
        (id, title, body, institution, category, bonus, status, published_at, ends_at)
      overriding system value
      select id, title, body, institution, category, bonus,
        case when "endsIn" > 0 then 'active' else 'expired' end,
        now() - age * interval '1 second', now() + "endsIn" * interval '1 second'
      from seed
    )
    insert into offers_board.offer_views (offer_id, views) select id, views from seed`,
    [JSON.stringify(seedOffers(OFFERS))],
  )
}

/** One job per active offer, added in batches of those that end at the same time. */
async function scheduleExpiries(tx: Transaction, jobs: Jobs): Promise<void> {
  const { rows } = await tx.query(/* sql */ `
    select (extract(epoch from ends_at) * 1000)::double precision as "endsAt",
      array_agg(id::text) as ids
    from offers_board.offer where status = 'active' group by ends_at`)
  for (const { endsAt, ids } of rows as { endsAt: number; ids: string[] }[]) {
    const payloads = ids.map((offerId) => ({ offerId }))
    await jobs.expiries.addMany(payloads, { runAt: new Date(endsAt), client: tx })
  }
}
