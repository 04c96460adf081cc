import type { Queryable } from '@howdah/core'
import { hashPassword, verifyPassword } from './passwords.js'

/** Someone with an account. */
export interface Member {
  readonly id: string
  readonly email: string
  readonly name: string
  readonly admin: boolean
}

/** What a new account is made of. */
export interface Registration {
  readonly email: string
  readonly name: string
  readonly password: string
}

/** Makes an account. Answers `undefined` when the address has one already. */
export async function register(db: Queryable, form: Registration): Promise<Member | undefined> {
  const { rows } = await db.query({
    text: /* sql */ `
      insert into offers_board.member (email, name, password)
      values (lower($1::text), $2::text, $3::text)
      on conflict (email) do nothing
      returning id::text, email, name, admin`,
    values: [form.email, form.name, await hashPassword(form.password)],
  })
  return rows[0]
}

/** Answers the member with this address and password, or `undefined`. */
export async function authenticate(
  db: Queryable,
  email: string,
  password: string,
): Promise<Member | undefined> {
  const { rows } = await db.query({
    text: /* sql */ `
      select id::text, email, name, admin, password
      from offers_board.member where email = lower($1::text)`,
    values: [email],
  })
  const [found] = rows
  // An unknown address costs the same time, so that the answer does not tell who has an account.
  const matches = await verifyPassword(password, found?.password ?? (await unknownHash))
  if (!matches || found === undefined) return undefined
  return { id: found.id, email: found.email, name: found.name, admin: found.admin }
}

const unknownHash = hashPassword('nobody has this password')

/** Answers the member with this id, or `undefined`. */
export async function memberById(db: Queryable, id: string): Promise<Member | undefined> {
  const { rows } = await db.query({
    text: 'select id::text, email, name, admin from offers_board.member where id = $1::bigint',
    values: [id],
  })
  return rows[0]
}
