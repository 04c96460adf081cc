import { PGlite } from '@electric-sql/pglite'
import { PrismaPg } from '@prisma/adapter-pg'
import { drizzle as drizzlePg } from 'drizzle-orm/node-postgres'
import { drizzle as drizzlePGlite } from 'drizzle-orm/pglite'
import { drizzle as drizzlePostgresJs } from 'drizzle-orm/postgres-js'
import knex from 'knex'
import { CamelCasePlugin, Kysely, PostgresDialect } from 'kysely'
import pg from 'pg'
import postgres from 'postgres'
import { Database, type DatabaseSource, type TransactionHandle } from '../../src/index.js'
import { generatePrismaClient } from './prisma-client.js'

/** One library, opened on a database. */
export interface OpenLibrary {
  /** What an application might pass by mistake; `undefined` where there is no such object. */
  readonly root: unknown
  /** Sees what the library has committed. */
  readonly source: DatabaseSource
  transaction<T>(fn: (tx: TransactionHandle) => Promise<T>): Promise<T>
  close(): Promise<void>
}

type Open = (url: string) => Promise<OpenLibrary>

/** Every library whose transactions Howdah joins, also as applications configure them. */
export const libraries: Readonly<Record<string, Open>> = {
  'Howdah Transaction': async (url) => {
    const pool = new pg.Pool({ connectionString: url })
    const db = Database.from(pool)
    return {
      root: db,
      source: pool,
      transaction: (fn) => db.transaction(fn),
      close: async () => {
        await db.close()
        await pool.end()
      },
    }
  },

  'pg PoolClient': async (url) => {
    const pool = new pg.Pool({ connectionString: url })
    return {
      root: pool,
      source: pool,
      transaction: async (fn) => {
        const client = await pool.connect()
        try {
          return await byHand(
            (text) => client.query(text),
            () => fn(client),
          )
        } finally {
          client.release()
        }
      },
      close: () => pool.end(),
    }
  },

  'pg Client': async (url) => {
    const client = new pg.Client({ connectionString: url })
    await client.connect()
    return withPool(url, {
      root: undefined,
      transaction: (fn) =>
        byHand(
          (text) => client.query(text),
          () => fn(client),
        ),
      close: () => client.end(),
    })
  },

  'Drizzle on pg': async (url) => {
    const pool = new pg.Pool({ connectionString: url })
    const db = drizzlePg(pool)
    return {
      root: db,
      source: pool,
      transaction: (fn) => db.transaction(fn),
      close: () => pool.end(),
    }
  },

  'Drizzle on pg, nested': async (url) => {
    const pool = new pg.Pool({ connectionString: url })
    const db = drizzlePg(pool)
    return {
      root: db,
      source: pool,
      transaction: (fn) => db.transaction((tx) => tx.transaction(fn)),
      close: () => pool.end(),
    }
  },

  'Drizzle on postgres.js': async (url) => {
    const sql = postgres(url)
    const db = drizzlePostgresJs(sql)
    return withPool(url, {
      root: db,
      transaction: (fn) => db.transaction(fn),
      close: () => sql.end(),
    })
  },

  'Drizzle on PGlite': async () => {
    const pglite = new PGlite()
    const db = drizzlePGlite(pglite)
    return {
      root: db,
      source: pglite,
      transaction: (fn) => db.transaction(fn),
      close: () => pglite.close(),
    }
  },

  Kysely: async (url) => {
    const pool = new pg.Pool({ connectionString: url })
    const db = new Kysely({ dialect: new PostgresDialect({ pool }) })
    return {
      root: db,
      source: pool,
      transaction: (fn) => db.transaction().execute(fn),
      close: () => db.destroy(),
    }
  },

  'Kysely with CamelCasePlugin, controlled': async (url) => {
    const pool = new pg.Pool({ connectionString: url })
    const db = new Kysely({
      dialect: new PostgresDialect({ pool }),
      plugins: [new CamelCasePlugin()],
    })
    return {
      root: db,
      source: pool,
      transaction: async (fn) => {
        const trx = await db.startTransaction().execute()
        try {
          const result = await fn(trx)
          await trx.commit().execute()
          return result
        } catch (error) {
          await trx.rollback().execute()
          throw error
        }
      },
      close: () => db.destroy(),
    }
  },

  Knex: async (url) => {
    const db = knex({ client: 'pg', connection: url })
    return withPool(url, {
      root: db,
      transaction: (fn) => db.transaction(fn),
      close: () => db.destroy(),
    })
  },

  'Knex with postProcessResponse, nested': async (url) => {
    const db = knex({ client: 'pg', connection: url, postProcessResponse: () => 'changed' })
    return withPool(url, {
      root: db,
      transaction: (fn) => db.transaction((trx) => trx.transaction(fn)),
      close: () => db.destroy(),
    })
  },

  'postgres.js': async (url) => {
    const sql = postgres(url)
    return withPool(url, {
      root: sql,
      transaction: (fn) => sql.begin(fn) as Promise<never>,
      close: () => sql.end(),
    })
  },

  'postgres.js with transform, without types': async (url) => {
    const sql = postgres(url, { transform: postgres.camel, fetch_types: false })
    return withPool(url, {
      root: sql,
      transaction: (fn) => sql.begin((tx) => tx.savepoint(fn)) as Promise<never>,
      close: () => sql.end(),
    })
  },

  'postgres.js, reserved': async (url) => {
    const root = postgres(url)
    return withPool(url, {
      root,
      transaction: async (fn) => {
        const sql = await root.reserve()
        try {
          return await byHand(
            (text) => sql.unsafe(text),
            () => fn(sql as never),
          )
        } finally {
          sql.release()
        }
      },
      close: () => root.end(),
    })
  },

  Prisma: async (url) => {
    const client = await generatePrismaClient()
    const prisma = new client.module.PrismaClient({
      adapter: new PrismaPg({ connectionString: url }),
    })
    return withPool(url, {
      root: prisma,
      transaction: (fn) => prisma.$transaction(fn),
      close: async () => {
        await prisma.$disconnect()
        await client.remove()
      },
    })
  },

  PGlite: async () => {
    const pglite = new PGlite()
    return {
      root: pglite,
      source: pglite,
      transaction: (fn) => pglite.transaction(fn),
      close: () => pglite.close(),
    }
  },
}

/** A transaction of a client that has no function for it. */
async function byHand<T>(run: (text: string) => PromiseLike<unknown>, fn: () => Promise<T>) {
  await run('begin')
  try {
    const result = await fn()
    await run('commit')
    return result
  } catch (error) {
    await run('rollback')
    throw error
  }
}

/** Adds a pool of `pg` to look on with, for libraries whose own connections are no source. */
function withPool(url: string, library: Omit<OpenLibrary, 'source'>): OpenLibrary {
  const pool = new pg.Pool({ connectionString: url })
  return {
    ...library,
    source: pool,
    close: async () => {
      await library.close()
      await pool.end()
    },
  }
}
