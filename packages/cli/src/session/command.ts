import { Command } from 'commander'
import { confirm, yes } from '../confirm.js'
import { type CommonOptions, common } from '../connection.js'
import { cliError } from '../errors.js'
import { type ActOptions, notFound, withPackage } from '../looking.js'
import { limit } from '../numbers.js'
import { about, plain, properties, show, size, table, time } from '../output.js'
import {
  countSessions,
  findSession,
  listOfUser,
  revokeOfUser,
  revokeSession,
  type SessionRow,
  someSessions,
} from '../sql/session-operators.js'

interface NameOptions extends ActOptions {
  readonly name?: string
}
interface SomeOptions extends CommonOptions {
  readonly limit: number
  readonly after: string
}

/** The command `howdah session`. */
export function sessionCommand(): Command {
  const session = new Command('session').description('Look at sessions, and end them.')
  common(session.command('list [user]'))
    .description('List the sessions of a user; without one, how many there are under each name.')
    .option('--name <name>', 'only sessions of this name')
    .action(list)
  common(session.command('some <name>'))
    .description('List some sessions of a name, in the order of their refs.')
    .option('--limit <n>', 'at most so many', limit(1000), 20)
    .option('--after <ref>', 'go on behind this one', '')
    .action(some)
  common(session.command('show <ref>'))
    .description('Show one session, without what it holds.')
    .action(showOne)
  common(session.command('revoke <refs...>'))
    .description('End sessions, effective at their next request.')
    .addOption(yes())
    .action(revoke)
  common(session.command('revoke-user <user>'))
    .description('End all sessions of a user.')
    .option('--name <name>', 'only sessions of this name')
    .addOption(yes())
    .action(revokeUser)
  return session
}

async function list(user: string | undefined, options: NameOptions): Promise<void> {
  if (user !== undefined) {
    const sessions = await withPackage('session', options, (_, db) =>
      db.query(listOfUser(db.schema, user, options.name ?? null)),
    )
    show(options.json, { user, sessions }, () =>
      sessionTable(sessions, `${plain(user)} has no session.`),
    )
    return
  }
  const all = await withPackage('session', options, (_, db) => db.query(countSessions(db.schema)))
  const names = all.filter(({ name }) => options.name === undefined || name === options.name)
  show(options.json, { names }, () =>
    table(
      ['name', 'live', 'expired'],
      names.map((row) => [
        row.name,
        about(row.live, row.estimated),
        about(row.expired, row.estimated),
      ]),
      'There are no sessions.',
    ),
  )
}

async function some(name: string, options: SomeOptions): Promise<void> {
  const { limit: most, after } = options
  if (after !== '') checkRef(after)
  const sessions = await withPackage('session', options, (_, db) =>
    db.query(someSessions(db.schema, name, after, most)),
  )
  const last = sessions.length === most ? sessions.at(-1)?.ref : undefined
  show(options.json, { name, sessions, next: last ?? null }, () => {
    const more = last === undefined ? '' : `More: --after ${last}\n`
    return sessionTable(sessions, `There are no sessions of ${plain(name)}.`) + more
  })
}

async function showOne(ref: string, options: CommonOptions): Promise<void> {
  checkRef(ref)
  const [session] = await withPackage('session', options, (_, db) =>
    db.query(findSession(db.schema, ref)),
  )
  if (session === undefined)
    throw notFound('live session of this ref', 'howdah session list <user>')
  show(options.json, { session }, () =>
    properties([
      ['name', session.name],
      ['ref', session.ref],
      ['user', session.user],
      ['began', time(session.createdAt)],
      ['seen', time(session.seenAt)],
      ['ends', time(session.expiresAt)],
      ['address', session.address],
      ['agent', session.userAgent],
      ['label', session.label],
      ['holds', `${size(session.bytes)}${session.encrypted ? ', encrypted' : ''}`],
    ]),
  )
}

async function revoke(refs: readonly string[], options: ActOptions): Promise<void> {
  for (const ref of refs) checkRef(ref)
  const revoked = await withPackage('session', options, async (_, db) => {
    if (options.yes !== true) await confirm(`End ${refs.length} session(s)?`)
    const ended: string[] = []
    for (const ref of refs) {
      const [session] = await db.query(findSession(db.schema, ref))
      if (session === undefined) continue
      const [row] = await db.query(revokeSession(db.schema, session.name, ref))
      if (row?.revoked) ended.push(ref)
    }
    return ended
  })
  show(options.json, { revoked }, () => `${revoked.length} of ${refs.length} have ended.\n`)
}

async function revokeUser(user: string, options: NameOptions): Promise<void> {
  const { name } = options
  const revoked = await withPackage('session', options, async (_, db) => {
    if (options.yes !== true) {
      const sessions = await db.query(listOfUser(db.schema, user, name ?? null))
      if (sessions.length > 0) await confirm(`End ${sessions.length} session(s) of '${user}'?`)
    }
    const [row] = await db.query(revokeOfUser(db.schema, user, name ?? null))
    return row?.revoked ?? 0
  })
  show(options.json, { user, revoked }, () => `${revoked} sessions have ended.\n`)
}

function sessionTable(sessions: readonly SessionRow[], none: string): string {
  return table(
    ['ref', 'name', 'user', 'began', 'seen', 'ends', 'address', 'device'],
    sessions.map((row) => [
      row.ref,
      row.name,
      row.user,
      time(row.createdAt),
      time(row.seenAt),
      time(row.expiresAt),
      row.address,
      row.label ?? row.userAgent?.slice(0, 40),
    ]),
    none,
  )
}

/** Whoever passes an id instead would log in somebody's secret, so it is not repeated. */
function checkRef(ref: string): void {
  if (/^[0-9a-f]{64}$/i.test(ref)) return
  throw cliError(
    'CLI_INVALID_OPTION',
    'A ref has 64 hexadecimal digits: it is what session.ref and the lists say, and not the id that a cookie carries.',
  )
}
