import fc from 'fast-check'
import type pg from 'pg'
import { beforeAll, describe, expect, test } from 'vitest'
import type { Watch, WatchOptions } from '../src/index.js'
import { TwoProcesses } from './two-processes.js'
import { type AnyRow, Replica } from './watch-support.js'

const bench = new TwoProcesses()
const WRITERS = 4
/** For each variant. */
const RUNS = 10
const LAST = 1_000_000
let writers: pg.Pool

beforeAll(() => {
  // Superusers alone may say how soon a deadlock is looked for.
  writers = bench.database.adminPool({ max: WRITERS })
})

/** One step of a transaction. Ids are few, so that writers meet. */
type Step =
  | readonly ['insert', ids: readonly number[], part: number]
  | readonly ['upsert', ids: readonly number[], part: number]
  | readonly ['update' | 'note' | 'unseen' | 'nothing', from: number, to: number, part: number]
  | readonly ['move', from: number, to: number, by: number]
  | readonly ['replace', id: number, part: number]
  | readonly ['delete', from: number, to: number]
  | readonly ['truncate' | 'savepoint' | 'undo']

const id = fc.integer({ min: 1, max: 25 })
const part = fc.integer({ min: 0, max: 9 })
const ids = fc.uniqueArray(id, { minLength: 1, maxLength: 5 })
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 3, arbitrary: fc.tuple(fc.constant('insert' as const), ids, part) },
  { weight: 4, arbitrary: fc.tuple(fc.constant('upsert' as const), ids, part) },
  {
    weight: 6,
    arbitrary: fc.tuple(fc.constantFrom('update', 'note', 'unseen', 'nothing'), id, id, part),
  },
  {
    weight: 2,
    arbitrary: fc.tuple(fc.constant('move' as const), id, id, fc.integer({ min: -9, max: 9 })),
  },
  { weight: 1, arbitrary: fc.tuple(fc.constant('replace' as const), id, part) },
  { weight: 2, arbitrary: fc.tuple(fc.constant('delete' as const), id, id) },
  { weight: 1, arbitrary: fc.tuple(fc.constantFrom('truncate' as const, 'savepoint', 'undo')) },
)
const transaction = fc.record({
  steps: fc.array(step, { minLength: 1, maxLength: 6 }),
  commit: fc.boolean(),
  isolation: fc.constantFrom('read committed', 'read committed', 'repeatable read', 'serializable'),
})
type Script = typeof transaction extends fc.Arbitrary<infer T> ? T : never
const scripts = fc.array(fc.array(transaction, { minLength: 1, maxLength: 8 }), {
  minLength: WRITERS,
  maxLength: WRITERS,
})

function sql(table: string, [kind, ...args]: Step): string {
  const values = (list: readonly number[], part: number) =>
    list.map((n) => `(${n}, ${part}, ${n}.5, 'n${n}', 0)`).join(', ')
  const [a, b, c] = args as readonly number[]
  switch (kind) {
    case 'insert':
      return `insert into ${table} values ${values(args[0] as readonly number[], b as number)} on conflict do nothing`
    case 'upsert':
      return `insert into ${table} values ${values(args[0] as readonly number[], b as number)} on conflict (id) do update set part = excluded.part, amount = t.amount + 1`.replace(
        't.amount',
        `${table}.amount`,
      )
    case 'update':
      return `update ${table} set part = (part + ${c}) % 10 where id between ${a} and ${b}`
    case 'note':
      return `update ${table} set note = note || ${c} where id between ${a} and ${b}`
    case 'unseen':
      return `update ${table} set unseen = unseen + 1 where id between ${a} and ${b}`
    case 'nothing':
      return `update ${table} set note = note where id between ${a} and ${b}`
    case 'move':
      return `update ${table} set id = id + ${c} where id between ${a} and ${b}`
    case 'replace':
      return `with gone as (delete from ${table} where id = ${a} returning *) insert into ${table} select id, ${b}, amount, 'replaced', 0 from gone`
    case 'delete':
      return `delete from ${table} where id between ${a} and ${b}`
    case 'truncate':
      return `truncate ${table}`
    case 'savepoint':
      return 'savepoint s'
    default:
      return 'rollback to savepoint s'
  }
}

/** Runs the transactions of one writer; one that fails is rolled back, as those that are meant to be. */
async function write(table: string, script: readonly Script[], onStep: () => void): Promise<void> {
  const client = await writers.connect()
  try {
    for (const { steps, commit, isolation } of script) {
      await client.query(
        `begin isolation level ${isolation}; set local lock_timeout = '500ms'; set local deadlock_timeout = '20ms'`,
      )
      try {
        await client.query('savepoint s')
        for (const each of steps) {
          onStep()
          await client.query(sql(table, each))
        }
        await client.query(commit ? 'commit' : 'rollback')
      } catch {
        await client.query('rollback')
      }
    }
  } finally {
    client.release()
  }
}

const VARIANTS: Record<string, WatchOptions> = {
  'all columns': {},
  'some columns, of rows that fulfil a condition': {
    columns: ['part', 'note'],
    where: 'part < 5 or part = 9',
  },
  'only what changed': { columns: ['id', 'part', 'amount'], diff: true, old: true },
  'a condition on what is not told': { columns: ['note'], where: 'unseen % 2 = 0', diff: true },
}

async function expected(table: string, { columns, where = 'true' }: WatchOptions) {
  const { rows } = await bench.pools[0].query<AnyRow>(
    `select id::text as _id, id::text, part, amount::text, note, unseen from ${table} where ${where}`,
  )
  return new Map(
    rows.map(({ _id, ...row }) => [
      _id as string,
      Object.fromEntries(Object.entries(row).filter(([name]) => columns?.includes(name) ?? true)),
    ]),
  )
}

function sorted(rows: ReadonlyMap<string, AnyRow>): [string, AnyRow][] {
  return [...rows].sort(([a], [b]) => Number(a) - Number(b))
}

describe('whatever four writers do at once', () => {
  test.each(Object.entries(VARIANTS))(
    'the changes, from the beginning or from bootstraps at any time, lead to the rows of the table: %s',
    { timeout: 120_000 },
    async (_name, options) => {
      await fc.assert(
        fc.asyncProperty(scripts, fc.array(fc.nat(40), { maxLength: 3 }), async (all, joins) => {
          const table = bench.fresh().replace('-', '_')
          await bench.pools[0].query(
            `create table ${table} (id bigint primary key, part int, amount numeric, note text, unseen int)`,
          )
          const watch: Watch<AnyRow> = bench.pubSub(0).watch(table, { ...options, stream: table })
          await watch.install()
          const replicas: Promise<Replica>[] = [
            new Replica().follow(watch, 'earliest', String(LAST)),
          ]
          let steps = 0
          const onStep = () => {
            if (!joins.includes(++steps)) return
            const replica = new Replica()
            const joining = replica.bootstrap(watch, 7)
            replicas.push(joining.then((after) => replica.follow(watch, after, String(LAST))))
          }
          await Promise.all(all.map((script) => write(table, script, onStep)))
          await bench.pools[0].query(`insert into ${table} values (${LAST}, 0, 0, 'last', 0)`)
          const rows = sorted(await expected(table, options))
          for (const each of replicas) expect(sorted((await each).rows)).toEqual(rows)
          await watch.remove()
          await bench.pools[0].query(`drop table ${table}`)
        }),
        { numRuns: RUNS, endOnFailure: true },
      )
    },
  )
})
