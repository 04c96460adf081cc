import { randomBytes } from 'node:crypto'
import type { Transaction } from '@howdah/core'
import { hashPassword } from '../domain/passwords.js'

/** An account to try the board with. */
export interface DemoMember {
  readonly email: string
  readonly password: string
}

const MEMBERS = [
  { email: 'reader@offers.example', name: 'Reader', admin: false },
  { email: 'publisher@offers.example', name: 'Publisher', admin: false },
  { email: 'admin@offers.example', name: 'Admin', admin: true },
]

/** Follows everything and takes no mail, so that every new offer leaves a dead letter to look at. */
const FULL_MAILBOX = { email: 'full-mailbox@offers.example', name: 'Full mailbox', admin: false }

/** Makes the demo accounts, or gives those that are there new passwords, and answers them. */
export async function setUpDemoMembers(tx: Transaction): Promise<DemoMember[]> {
  const passwords = MEMBERS.map(() => randomBytes(9).toString('base64url'))
  const nobodys = randomBytes(32).toString('base64url')
  const members = [...MEMBERS, FULL_MAILBOX]
  const hashes = await Promise.all([...passwords, nobodys].map(hashPassword))
  await tx.query(
    /* sql */ `
    insert into offers_board.member (email, name, admin, accepts_mail, password)
    select email, name, admin, email <> $2::text, password
    from jsonb_to_recordset($1::jsonb) as m (email text, name text, admin boolean, password text)
    on conflict (email) do update
      set password = excluded.password, accepts_mail = excluded.accepts_mail`,
    [
      JSON.stringify(members.map((member, at) => ({ ...member, password: hashes[at] }))),
      FULL_MAILBOX.email,
    ],
  )
  await tx.query(
    /* sql */ `
    insert into offers_board.follow (institution, member_id)
    select i.name, m.id from offers_board.institution i, offers_board.member m
    where m.email = $1::text
    on conflict do nothing`,
    [FULL_MAILBOX.email],
  )
  return MEMBERS.map(({ email }, at) => ({ email, password: passwords[at] as string }))
}
