import type { Queryable } from '@howdah/core'

/** Who makes offers, seen by one member. */
export interface Institution {
  readonly name: string
  readonly about: string
  readonly followers: number
  /** Whether the member who asks follows it. */
  readonly followed: boolean
}

const SELECT_INSTITUTION = /* sql */ `
  select i.name, i.about, count(f.member_id)::int as followers,
    coalesce(bool_or(f.member_id = $1::bigint), false) as followed
  from offers_board.institution i
  left join offers_board.follow f on f.institution = i.name`

/** Lists all institutions by name. */
export async function institutions(db: Queryable, memberId?: string): Promise<Institution[]> {
  const { rows } = await db.query({
    text: `${SELECT_INSTITUTION} group by i.name order by i.name`,
    values: [memberId ?? null],
  })
  return rows
}

/** Answers one institution, or `undefined` where there is none of that name. */
export async function institutionByName(
  db: Queryable,
  name: string,
  memberId?: string,
): Promise<Institution | undefined> {
  const { rows } = await db.query({
    text: `${SELECT_INSTITUTION} where i.name = $2::text group by i.name`,
    values: [memberId ?? null, name],
  })
  return rows[0]
}

/** Follows or stops following; doing it twice changes nothing. */
export async function setFollowing(
  db: Queryable,
  memberId: string,
  institution: string,
  following: boolean,
): Promise<void> {
  await db.query({
    text: following
      ? /* sql */ `
        insert into offers_board.follow (member_id, institution) values ($1::bigint, $2::text)
        on conflict do nothing`
      : /* sql */ `
        delete from offers_board.follow where member_id = $1::bigint and institution = $2::text`,
    values: [memberId, institution],
  })
}
