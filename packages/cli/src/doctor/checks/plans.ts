/**
 * Looks at how the server runs the statements that packages run all the time, on a backlog made in a transaction that is rolled back.
 *
 * Two things are asked of each. `explain` tells the plan of the statement itself. Most of what matters stands inside functions, where `explain`
 * does not look; so the rows that were read of each table are counted while it runs. A plan that scans or sorts reads the whole backlog.
 */
import { type Statement, sqlState } from '@howdah/core'
import type pg from 'pg'
import { installed } from '../../installed.js'
import { type Check, type Finding, fact } from '../check.js'
import type { DoctorContext } from '../context.js'
import { cacheProbe } from '../plans/cache-probe.js'
import { judgePlan, type PlanNode } from '../plans/judge-plan.js'
import { BACKLOG, type Operation, type Probe } from '../plans/probe.js'
import { pubsubProbe } from '../plans/pubsub-probe.js'
import { queueProbe } from '../plans/queue-probe.js'
import { sessionProbe } from '../plans/session-probe.js'

/** An operation touches some tens of rows; a tenth of the backlog is none that does its work by an index. */
const MOST_ROWS = BACKLOG / 10
const INSUFFICIENT_PRIVILEGE = '42501'
const LIMITS = `set local lock_timeout = '5s'; set local statement_timeout = '60s'; set local idle_in_transaction_session_timeout = '60s'`

interface Explained {
  readonly 'QUERY PLAN': readonly [{ readonly Plan: PlanNode }]
}

export const plans: Check = {
  id: 'plans',
  title: 'Plans of hot statements',
  async run(context) {
    if (context.server.standby) return [fact('Nothing can be tried out on a standby.')]
    const statuses = await context.statuses()
    const findings: Finding[] = []
    const tried: string[] = []
    for (const probe of await probes()) {
      const status = statuses.find((one) => one.package === probe.package)
      if (status?.state !== 'current') continue
      findings.push(...(await tryProbe(context, probe)))
      tried.push(probe.package)
    }
    if (findings.length > 0) return findings
    if (tried.length === 0) return [fact('No package has its tables here.')]
    return [fact(`Whatever is tried of ${tried.join(', ')} goes by an index.`)]
  },
}

async function probes(): Promise<Probe[]> {
  const [queue, cache, session, pubsub] = await Promise.all([
    installed('queue'),
    installed('cache'),
    installed('session'),
    installed('pubsub'),
  ])
  // A release of the package that names no hot statements is left out.
  return [
    queue?.hotStatements && queueProbe(queue),
    cache?.hotStatements && cacheProbe(cache),
    session?.hotStatements && sessionProbe(session),
    pubsub?.hotStatements && pubsubProbe(pubsub),
  ].filter((probe) => probe !== undefined)
}

async function tryProbe({ pool, db, schema }: DoctorContext, probe: Probe): Promise<Finding[]> {
  const client = await pool.connect()
  const findings: Finding[] = []
  let broken = true
  try {
    await client.query('begin')
    await client.query(LIMITS)
    const run = async <Row>(statement: Statement<Row>) => (await rowsOf(client, statement)) as Row[]
    let filled = false
    for await (const operation of probe.operations(run, db.schema)) {
      const unknown = filled ? [] : await analyzeUnknown(client, schema, probe.tables)
      filled = true
      if (unknown.length > 0) {
        findings.push(
          fact(
            `@howdah/${probe.package} was not tried: the server has no statistics of ${unknown.join(', ')}, and only the owner may make them. Run the doctor as the owner.`,
          ),
        )
        break
      }
      const said = await judge(client, operation, schema, probe.tables)
      if (said !== undefined) findings.push(slow(probe, operation, said))
    }
    broken = false
  } catch (error) {
    if (sqlState(error) !== INSUFFICIENT_PRIVILEGE) throw error
    findings.push(fact(`@howdah/${probe.package} was not tried, for the role lacks rights.`))
  } finally {
    await client.query('rollback').catch(() => {})
    client.release(broken)
  }
  return findings
}

/**
 * A table that was empty whenever it was analysed has no statistics, and plans made without them say nothing. Those made here go with the
 * transaction; tables that have statistics are judged by what they have. Answers those that are not the role's to analyse.
 */
async function analyzeUnknown(
  client: pg.PoolClient,
  schema: string,
  tables: readonly string[],
): Promise<string[]> {
  const unknown = await rowsOf(client, {
    text: /* sql */ `
      select format('%I.%I', n.nspname, c.relname) as name, pg_has_role(c.relowner, 'usage') as ours
      from pg_class c join pg_namespace n on n.oid = c.relnamespace
      where n.nspname = $1::text and c.relname = any ($2::text[])
        and not exists (select from pg_stats t where t.schemaname = n.nspname and t.tablename = c.relname)`,
    values: [schema, tables],
  })
  for (const { name, ours } of unknown) if (ours) await client.query(`analyze ${name}`)
  return unknown.filter(({ ours }) => !ours).map(({ name }) => String(name))
}

async function judge(
  client: pg.PoolClient,
  { statement }: Operation,
  schema: string,
  tables: readonly string[],
): Promise<string | undefined> {
  const { text, values } = statement
  const [row] = await rowsOf(client, { text: `explain (format json) ${text}`, values })
  const plan = (row as unknown as Explained)['QUERY PLAN'][0].Plan
  const before = await rowsRead(client, schema, tables)
  await rowsOf(client, statement)
  const after = await rowsRead(client, schema, tables)
  const most = [...after]
    .map(([table, rows]) => ({ table, rows: rows - (before.get(table) ?? 0) }))
    .sort((a, b) => b.rows - a.rows)[0]
  const planned = judgePlan(plan, tables, MOST_ROWS)
  if (planned !== undefined) return planned
  return most !== undefined && most.rows > MOST_ROWS
    ? `reads ${most.rows} rows of ${most.table}`
    : undefined
}

/** What this transaction has read so far. */
async function rowsRead(
  client: pg.PoolClient,
  schema: string,
  tables: readonly string[],
): Promise<Map<string, number>> {
  const rows = await rowsOf(client, {
    text: /* sql */ `
      select t.relname::text as name, (coalesce(t.seq_tup_read, 0) + coalesce(t.idx_tup_fetch, 0))::float8 as rows
      from pg_stat_xact_user_tables t where t.schemaname = $1::text and t.relname = any ($2::text[])`,
    values: [schema, tables],
  })
  return new Map(rows.map((row) => [row['name'] as string, row['rows'] as number]))
}

async function rowsOf(
  client: pg.PoolClient,
  { text, values }: Pick<Statement, 'text' | 'values'>,
): Promise<Record<string, unknown>[]> {
  return (await client.query({ text, values: [...values] })).rows
}

function slow(probe: Probe, { name }: Operation, said: string): Finding {
  return {
    level: 'error',
    what: `@howdah/${probe.package}: ${name} ${said}, with ${BACKLOG} rows there.`,
    costs: 'It takes longer with every row, and most where a backlog has built up.',
    mend: `See whether an index is missing (howdah doctor indexes), or a setting keeps the planner from using it: enable_indexscan, enable_bitmapscan, random_page_cost, also of the role and the database (\\drds in psql). Then: analyze ${probe.tables.join(', ')};`,
  }
}
