import { type MaterializedOptions, MaterializedQuery } from '@howdah/cache'
import { Database } from '@howdah/core'
import { type TestDatabase, testDatabase } from '@howdah/testkit'
import type pg from 'pg'

/** What the SQL of a test waits for, so that the test decides how long a refresh takes. */
const GATE = 4711

/** A database with a table to query, and everything a test opens on it. */
export class Stage {
  readonly database: TestDatabase
  readonly pool: pg.Pool
  /** Of a superuser, for roles, and for what is done to our own tables. */
  readonly admin: pg.Pool
  readonly db: Database
  readonly #open: { close(): Promise<void> }[] = []
  readonly #gates = new Set<() => Promise<void>>()
  #names = 0

  private constructor(database: TestDatabase) {
    this.database = database
    this.pool = database.pool()
    this.admin = database.adminPool()
    this.db = Database.from(this.pool)
  }

  static async open(): Promise<Stage> {
    const stage = new Stage(await testDatabase())
    await stage.pool.query('create table item (id int primary key, n int not null)')
    await stage.pool.query(`create function gate() returns boolean language plpgsql as $$
      begin
        perform pg_advisory_xact_lock_shared(${GATE});
        return true;
      end $$`)
    return stage
  }

  name(): string {
    return `q${++this.#names}`
  }

  /** Another process, as far as the database can tell. */
  other(): Database {
    return this.track(Database.from(this.database.pool({ max: 4 })))
  }

  query<Row = { id: number; n: number }>(
    sql: string,
    options: Partial<MaterializedOptions> = {},
    { db = this.db, name = this.name() }: { db?: Database; name?: string } = {},
  ): MaterializedQuery<Row> {
    return this.track(new MaterializedQuery<Row>(db, name, sql, { unique: 'id', ...options }))
  }

  track<T extends { close(): Promise<void> }>(thing: T): T {
    this.#open.push(thing)
    return thing
  }

  /** Holds up whatever calls `gate()` until the function that it answers is called. */
  async shut(): Promise<() => Promise<void>> {
    const client = await this.pool.connect()
    await client.query('begin')
    await client.query(`select pg_advisory_xact_lock(${GATE})`)
    const open = async () => {
      if (!this.#gates.delete(open)) return
      await client.query('commit')
      client.release()
    }
    this.#gates.add(open)
    return open
  }

  /** Opens what a failed test left shut. */
  async openAll(): Promise<void> {
    for (const open of [...this.#gates]) await open()
  }

  /** How many sessions stand before the gate. */
  async waiting(): Promise<number> {
    const { rows } = await this.pool.query(
      `select count(*)::int as n from pg_locks
       where locktype = 'advisory' and not granted and objid = ${GATE} and database = (
         select oid from pg_database where datname = current_database())`,
    )
    return rows[0].n
  }

  /** How many refreshes of the query went well or badly, by the numbers of the versions of its row. */
  async counting(name: string): Promise<() => Promise<number>> {
    const table = 'howdah.cache_materialized'
    await this.pool.query(`create table if not exists run_seen (name text, run bigint)`)
    await this.pool.query(`create or replace function see_run() returns trigger
      language plpgsql security definer as $$
      begin
        if new.run <> old.run then insert into run_seen values (new.name, new.run); end if;
        return null;
      end $$`)
    await this.admin.query(`create or replace trigger see_run after update on ${table}
      for each row execute function public.see_run()`)
    return async () => {
      const { rows } = await this.pool.query(
        'select count(*)::int as n from run_seen where name = $1',
        [name],
      )
      return rows[0].n
    }
  }

  async close(): Promise<void> {
    await this.openAll()
    await Promise.all(this.#open.map((thing) => thing.close()))
    await this.db.close()
    await this.database.close()
  }
}
