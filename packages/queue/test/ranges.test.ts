import fc from 'fast-check'
import pg from 'pg'
import { describe, expect, test } from 'vitest'
import { RankFloors } from '../src/worker/ranges.js'
import { Bench } from './support.js'

const bench = new Bench()
const EPOCH = '1'

/** One worker as far as searching goes: it claims as the taker does, and its claims may be rolled back. */
class Searcher {
  readonly floors = new RankFloors()
  readonly client: pg.Client
  readonly claimed = new Set<string>()
  #pending: string[] = []

  constructor(client: pg.Client) {
    this.client = client
    this.floors.enter(EPOCH)
  }

  async search(queue: number, want: number, sweep: boolean): Promise<number> {
    const { lows, seqs, highs } = this.floors.ranges(sweep)
    // The search of queue_take, alone, so that it can be part of a transaction that rolls back.
    const { rows } = await this.client.query<{ id: string; rank: number; seq: string }>(
      `with found as materialized (
         select t.* from unnest($2::int[], $3::bigint[], $4::int[]) as f(low, seq, high)
         cross join lateral (
           select r.ctid as tid, r.* from howdah.queue_ready r
           where r.queue = $1 and (r.rank, r.seq) > (f.low, f.seq) and r.rank <= f.high
           order by r.rank, r.seq limit $5 for update skip locked) t
         limit $5)
       , gone as (delete from howdah.queue_ready r using found f where r.ctid = f.tid)
       select id::text, rank, seq::text from found`,
      [queue, lows, seqs, highs, want],
    )
    const last = new Map(rows.map((row) => [row.rank, row.seq]))
    this.floors.claimed(
      rows.length === 0 ? null : [...last.keys()].join(','),
      rows.length === 0 ? null : [...last.values()].join(','),
      null,
    )
    this.#pending.push(...rows.map((row) => row.id))
    return rows.length
  }

  async seal(queue: number): Promise<void> {
    const of = this.floors.question(queue)
    const { rows } = await bench.pool.query(
      `select $8::text as epoch, sealed, seqs, due, horizon, head, due_head as "dueHead"
       from howdah.queue_seal($1, $2::int[], $3::bigint[], $4::timestamptz, $5::xid8, $6::bigint, $7::timestamptz)`,
      [of.queue, of.ranks, of.seqs, of.due, of.horizon, of.head, of.dueHead, EPOCH],
    )
    this.floors.answer(of, rows[0], performance.now())
  }

  async end(commit: boolean): Promise<void> {
    await this.client.query(commit ? 'commit' : 'rollback')
    if (commit) for (const id of this.#pending) this.claimed.add(id)
    this.#pending = []
  }
}

describe('the search for ready jobs', () => {
  test('loses none that commits late, or whose claim was rolled back', {
    timeout: 120_000,
  }, async () => {
    const clients = await Promise.all(
      Array.from({ length: 5 }, async () => {
        const client = new pg.Client({ connectionString: bench.database.url })
        await client.connect()
        return client
      }),
    )
    const [a, b, c, d, e] = clients as [pg.Client, pg.Client, pg.Client, pg.Client, pg.Client]
    const action = fc.oneof(
      {
        weight: 4,
        arbitrary: fc.record({
          kind: fc.constant('add' as const),
          who: fc.nat(2),
          rank: fc.nat(2),
          n: fc.integer({ min: 1, max: 4 }),
        }),
      },
      {
        weight: 2,
        arbitrary: fc.record({
          kind: fc.constant('end' as const),
          who: fc.nat(2),
          commit: fc.boolean(),
        }),
      },
      {
        weight: 4,
        arbitrary: fc.record({
          kind: fc.constant('search' as const),
          who: fc.nat(1),
          want: fc.integer({ min: 1, max: 5 }),
          sweep: fc.boolean(),
        }),
      },
      {
        weight: 2,
        arbitrary: fc.record({
          kind: fc.constant('settle' as const),
          who: fc.nat(1),
          commit: fc.boolean(),
        }),
      },
      { weight: 3, arbitrary: fc.record({ kind: fc.constant('seal' as const), who: fc.nat(1) }) },
    )
    await bench.queue().stats()
    let made = 0
    await fc.assert(
      fc.asyncProperty(fc.array(action, { minLength: 10, maxLength: 60 }), async (actions) => {
        const { rows } = await bench.pool.query(`select howdah.queue_open($1) as id`, [
          `ranges-${++made}`,
        ])
        const queue = rows[0].id as number
        const adders = [a, b, c]
        const open = new Set<pg.Client>()
        const added = new Map<pg.Client, string[]>(adders.map((client) => [client, []]))
        const committed: string[] = []
        const searchers = [new Searcher(d), new Searcher(e)]
        const begin = async (client: pg.Client) => {
          if (!open.has(client)) await client.query('begin')
          open.add(client)
        }
        const endAdder = async (client: pg.Client, commit: boolean) => {
          if (!open.delete(client)) return
          await client.query(commit ? 'commit' : 'rollback')
          if (commit) committed.push(...(added.get(client) ?? []))
          added.set(client, [])
        }
        const settle = async (searcher: Searcher, commit: boolean) => {
          if (open.delete(searcher.client)) await searcher.end(commit)
        }
        for (const step of actions) {
          if (step.kind === 'add') {
            const client = adders[step.who] as pg.Client
            await begin(client)
            const payloads = Array(step.n).fill('1').join('\x1e')
            const spec = step.rank === 0 ? null : JSON.stringify({ priority: step.rank })
            const answer = await client.query(`select howdah.queue_add($1, $2, $3) as ids`, [
              queue,
              payloads,
              spec,
            ])
            added.get(client)?.push(...answer.rows[0].ids.split(','))
          } else if (step.kind === 'end') await endAdder(adders[step.who] as pg.Client, step.commit)
          else if (step.kind === 'settle')
            await settle(searchers[step.who] as Searcher, step.commit)
          else if (step.kind === 'seal') await (searchers[step.who] as Searcher).seal(queue)
          else {
            const searcher = searchers[step.who] as Searcher
            await begin(searcher.client)
            await searcher.search(queue, step.want, step.sweep)
          }
        }
        for (const client of adders) await endAdder(client, true)
        for (const searcher of searchers) await settle(searcher, true)
        // Whoever goes on finds all that is left, by sweeps from what it holds to be empty.
        const last = searchers[0] as Searcher
        for (let found = 1; found > 0; ) {
          await begin(last.client)
          found = await last.search(queue, 10, true)
          await settle(last, true)
          await last.seal(queue)
        }
        const claimed = searchers.flatMap((searcher) => [...searcher.claimed])
        expect(claimed.sort()).toEqual(committed.sort())
      }),
      { numRuns: 60 },
    )
    await Promise.all(clients.map((client) => client.end()))
  })

  test('begins anew after a crash of the server', () => {
    const floors = new RankFloors()
    floors.enter('1')
    floors.claimed('0', '500', null)
    expect(floors.ranges(false).seqs).toContain('500')
    expect(floors.enter('2')).toBe(true)
    expect(floors.ranges(false)).toEqual(floors.ranges(true))
    expect(floors.ranges(false).seqs).toEqual(['0'])
  })

  test('reads no more where an open snapshot keeps thousands of claimed rows', async () => {
    const jobs = bench.queue<number>()
    const blocks = async () => {
      let handled = 0
      await jobs.addMany(Array.from({ length: 200 }, (_, n) => n))
      const before = await read()
      const worker = jobs.work(() => void handled++, { concurrency: 10 })
      await expect.poll(() => handled).toBe(200)
      await worker.close()
      return (await read()) - before
    }
    const read = async () => {
      await bench.pool.query('select pg_stat_force_next_flush()')
      const rows = await bench.rows<{ n: number }>(
        `select (idx_tup_read)::int as n from pg_stat_user_indexes where indexrelname = 'queue_ready_pkey'`,
      )
      return rows[0]?.n ?? 0
    }
    const holder = await bench.pool.connect()
    await holder.query('begin isolation level repeatable read')
    await holder.query('select count(*) from howdah.queue_ready')
    await blocks()
    const first = await blocks()
    for (let n = 0; n < 20; n++) await jobs.addMany(Array.from({ length: 1000 }, (_, m) => m))
    let left = 20_000
    const worker = jobs.work(() => void left--, { concurrency: 500 })
    await expect.poll(() => left, { timeout: 25_000 }).toBe(0)
    await worker.close()
    // The first claims of a worker that knows nothing pass over all of them; those of one that goes on do not.
    const second = bench.queue<number>({}, jobs.name)
    let handled = 0
    const going = second.work(() => void handled++, { concurrency: 10 })
    await second.add(1)
    await expect.poll(() => handled).toBe(1)
    const batch = async () => {
      const [before, from] = [await read(), handled]
      await second.addMany(Array.from({ length: 200 }, (_, n) => n))
      await expect.poll(() => handled).toBe(from + 200)
      return (await read()) - before
    }
    await expect.poll(batch).toBeLessThan(Math.max(first, 500) * 3)
    await going.close()
    await holder.query('rollback')
    holder.release()
  })
})
