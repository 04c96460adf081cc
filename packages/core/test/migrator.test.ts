import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { PGlite } from '@electric-sql/pglite'
import { testDatabase } from '@howdah/testkit'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Database, type MigrationSet, migrationSql } from '../src/index.js'
import { notes } from './fixtures/notes.js'

let database: Awaited<ReturnType<typeof testDatabase>>
let pool: pg.Pool
let schemas = 0

/** A schema of its own for each test. */
function fresh(): string {
  return `migrated_${++schemas}`
}

beforeAll(async () => {
  database = await testDatabase()
  pool = database.pool()
})
afterAll(() => database.close())

const boot = fileURLToPath(new URL('./fixtures/boot.ts', import.meta.url))

function start(schema: string) {
  const child = spawn(process.execPath, ['--import', 'tsx', boot], {
    env: { ...process.env, TEST_URL: database.url, TEST_SCHEMA: schema },
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk))
  const ended = new Promise<string>((resolve) => child.on('close', () => resolve(output)))
  return { child, ended }
}

async function applied(schema: string) {
  const { rows } = await pool.query(
    `select version, name from "${schema.replaceAll('"', '""')}".migration where package = 'notes' order by version`,
  )
  return rows
}

const STEPS = [
  { version: 1, name: 'initial' },
  { version: 2, name: 'add-author' },
]

describe('ensure()', () => {
  test('lets 20 processes boot at once: one migrates, all work', async () => {
    const schema = fresh()
    const outputs = await Promise.all(Array.from({ length: 20 }, () => start(schema).ended))
    expect(outputs).toEqual(new Array(20).fill('ok'))
    expect(await applied(schema)).toEqual(STEPS)
    const { rows } = await pool.query(
      `select count(*)::int as notes, count(distinct xmin::text)::int as writers from ${schema}.note`,
    )
    expect(rows).toEqual([{ notes: 20, writers: 20 }])
    // One transaction applied both steps: whoever came second found them there.
    const ledger = await pool.query(`select distinct xmin::text from ${schema}.migration`)
    expect(ledger.rows).toHaveLength(1)
  })

  test('goes on after a process was killed while it migrated', async () => {
    const schema = fresh()
    const db = Database.from(pool, { schema })
    const holder = await pool.connect()
    await holder.query('begin')
    await holder.query(
      `select pg_advisory_xact_lock(hashtextextended('howdah.migration:' || $1::text, 0))`,
      [schema],
    )
    const { child, ended } = start(schema)
    await expect
      .poll(async () => {
        const { rows } = await pool.query(
          `select from pg_locks where locktype = 'advisory' and not granted and database = (select oid from pg_database where datname = current_database())`,
        )
        return rows.length
      })
      .toBe(1)
    child.kill('SIGKILL')
    await ended
    await holder.query('rollback')
    holder.release()
    await db.migrator.ensure(notes)
    expect(await applied(schema)).toEqual(STEPS)
  })

  test('leaves nothing behind when a step fails, and tries again at the next call', async () => {
    const schema = fresh()
    const db = Database.from(pool, { schema })
    const set: MigrationSet = {
      package: 'notes',
      migrations: [
        ...notes.migrations,
        {
          version: 3,
          name: 'break',
          up: (s) => [`select ${s}.nothing()`],
          down: () => [`select 1`],
        },
      ],
    }
    await expect(db.migrator.ensure(set)).rejects.toMatchObject({
      code: 'CORE_MIGRATION_FAILED',
      message: expect.stringContaining("Migration 3 (break) of 'notes'"),
    })
    const { rows } = await pool.query(`select from pg_namespace where nspname = $1`, [schema])
    expect(rows).toEqual([])
    await db.migrator.ensure(notes)
    expect(await applied(schema)).toEqual(STEPS)
  })

  test('does not wait for a connection of the pool', async () => {
    const small = database.pool({ max: 1 })
    const db = Database.from(small, { schema: fresh() })
    await db.transaction(async (tx) => {
      await db.migrator.ensure(notes)
      await tx.query(`insert into ${db.schema}.note (body) values ('in')`)
    })
  })

  test('takes a default isolation level of serializable as well', async () => {
    const schema = fresh()
    const strict = database.pool({ options: '-c default_transaction_isolation=serializable' })
    const databases = [1, 2, 3].map(() =>
      database.pool({ options: '-c default_transaction_isolation=serializable' }),
    )
    await Promise.all(
      [strict, ...databases].map((each) => Database.from(each, { schema }).migrator.ensure(notes)),
    )
    expect(await applied(schema)).toEqual(STEPS)
  })

  test.each([
    'we "ird',
    "o'clock",
    'a.b c',
    'ü'.repeat(31),
    'x'.repeat(63),
    'back\\slash',
    '; drop table x --',
  ])('takes a schema called %s', async (schema) => {
    const db = Database.from(pool, { schema })
    await db.migrator.ensure(notes)
    expect(await applied(schema)).toEqual(STEPS)
  })

  test('works for a role that owns one schema and nothing else', async () => {
    const schema = fresh()
    await pool.query(
      `create role ${schema} login password 'secret'; create schema ${schema} authorization ${schema}`,
    )
    const url = new URL(database.url)
    url.username = schema
    url.password = 'secret'
    const limited = new pg.Pool({ connectionString: url.href })
    try {
      await Database.from(limited, { schema }).migrator.ensure(notes)
      expect(await applied(schema)).toEqual(STEPS)
      await expect(
        Database.from(limited, { schema: `${schema}_other` }).migrator.ensure(notes),
      ).rejects.toMatchObject({ code: 'CORE_MIGRATION_FORBIDDEN' })
    } finally {
      await limited.end()
      await pool.query(`drop schema ${schema} cascade; drop role ${schema}`)
    }
  })

  test('migrates where transactions are read-only unless they say otherwise', async () => {
    const schema = fresh()
    const cautious = database.pool({ options: '-c default_transaction_read_only=on' })
    await Database.from(cautious, { schema }).migrator.ensure(notes)
    expect(await applied(schema)).toEqual(STEPS)
  })

  test('works on PGlite', async () => {
    const pglite = new PGlite()
    const db = Database.from(pglite)
    await db.migrator.ensure(notes)
    await pglite.query('insert into howdah.note (body) values ($1)', ['hello'])
    await db.close()
    await pglite.close()
  })
})

describe("migrate: 'manual'", () => {
  test('only checks, names the command, and accepts what its SQL made', async () => {
    const schema = 'hand "made'
    const db = Database.from(pool, { schema, migrate: 'manual' })
    await expect(db.migrator.ensure(notes)).rejects.toMatchObject({
      code: 'CORE_MIGRATION_REQUIRED',
      message: expect.stringContaining(`npx @howdah/cli migrate up --schema 'hand "made'`),
    })
    await pool.query(migrationSql([notes], { schema }))
    await db.migrator.ensure(notes)
    await pool.query(migrationSql([notes], { schema, direction: 'down' }))
    await expect(db.migrator.status([notes])).resolves.toMatchObject([{ current: 0, latest: 2 }])
  })
})

describe('what does not fit', () => {
  test('refuses a step that was edited after it was applied', async () => {
    const db = Database.from(pool, { schema: fresh() })
    await db.migrator.up([notes])
    const [first, second] = notes.migrations as [
      MigrationSet['migrations'][0],
      MigrationSet['migrations'][0],
    ]
    const edited = { ...notes, migrations: [{ ...first, up: () => ['select 1'] }, second] }
    await expect(db.migrator.up([edited])).rejects.toMatchObject({ code: 'CORE_MIGRATION_CHANGED' })
  })

  test('works with a newer schema that says it still serves, and refuses one that does not', async () => {
    const db = Database.from(pool, { schema: fresh() })
    const step = { up: () => ['select 1'], down: () => ['select 1'] }
    const third = { version: 3, name: 'third', ...step }
    const gentle = {
      package: 'notes',
      migrations: [...notes.migrations, { ...third, oldestClient: 2 }],
    }
    await db.migrator.up([gentle])
    await db.migrator.up([notes])
    const harsh = {
      package: 'notes',
      migrations: [...gentle.migrations, { ...step, version: 4, name: 'fourth', oldestClient: 4 }],
    }
    await db.migrator.up([harsh])
    await expect(db.migrator.up([gentle])).rejects.toMatchObject({ code: 'CORE_MIGRATION_TOO_NEW' })
  })

  test.each([
    [{ package: 'No', migrations: [] }],
    [{ package: 'x', migrations: [{ ...notes.migrations[0], version: 2 }] }],
    [{ package: 'x', migrations: [{ ...notes.migrations[0], name: '' }] }],
    [{ package: 'x', migrations: [{ ...notes.migrations[0], up: () => [''] }] }],
    [{ package: 'x' }],
    [null],
  ])('refuses the malformed set %#', async (set) => {
    const db = Database.from(pool, { schema: fresh() })
    await expect(db.migrator.up([set as unknown as MigrationSet])).rejects.toMatchObject({
      code: 'CORE_INVALID_OPTION',
    })
  })
})

describe('down()', () => {
  test('takes back what up() made, to the letter, at any version', async () => {
    const schema = fresh()
    const db = Database.from(pool, { schema })
    const catalog = async () => {
      const { rows } = await pool.query(
        `select c.relname, c.relkind::text, a.attname, format_type(a.atttypid, a.atttypmod) as type
         from pg_class c
         join pg_namespace n on n.oid = c.relnamespace
         left join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
         where n.nspname = $1 order by 1, 2, 3`,
        [schema],
      )
      return rows
    }
    const first = { ...notes, migrations: notes.migrations.slice(0, 1) }
    await db.migrator.up([{ package: 'empty', migrations: [] }])
    const nothing = await catalog()
    await db.migrator.up([first])
    const one = await catalog()
    await db.migrator.up([notes])
    const two = await catalog()
    await db.migrator.down(notes, { to: 1 })
    expect(await catalog()).toEqual(one)
    await db.migrator.ensure(notes)
    expect(await catalog()).toEqual(two)
    await db.migrator.down(notes, { to: 0 })
    expect(await catalog()).toEqual(nothing)
    await db.migrator.ensure(notes)
    expect(await catalog()).toEqual(two)
  })
})
