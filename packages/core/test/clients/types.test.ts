import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { PGlite, Transaction as PGliteTransaction } from '@electric-sql/pglite'
import type { drizzle as drizzlePg } from 'drizzle-orm/node-postgres'
import type { drizzle as drizzlePGlite } from 'drizzle-orm/pglite'
import type { drizzle as drizzlePostgresJs } from 'drizzle-orm/postgres-js'
import type { Knex } from 'knex'
import type { ControlledTransaction, Kysely, Transaction as KyselyTransaction } from 'kysely'
import type pg from 'pg'
import type postgres from 'postgres'
import ts from 'typescript'
import { describe, expect, expectTypeOf, test } from 'vitest'
import type { Database, DatabaseSource, Transaction, TransactionHandle } from '../../src/index.js'
import { generatePrismaClient } from './prisma-client.js'

/** What `db.transaction(fn)` gives to `fn`. */
// biome-ignore lint/suspicious/noExplicitAny: any database of Drizzle's
type DrizzleTx<Db extends { transaction(fn: any): unknown }> = Parameters<
  Parameters<Db['transaction']>[0]
>[0]

describe('TransactionHandle', () => {
  test('takes the transaction of every library', () => {
    expectTypeOf<Transaction>().toExtend<TransactionHandle>()
    expectTypeOf<pg.Client>().toExtend<TransactionHandle>()
    expectTypeOf<pg.PoolClient>().toExtend<TransactionHandle>()
    expectTypeOf<DrizzleTx<ReturnType<typeof drizzlePg>>>().toExtend<TransactionHandle>()
    expectTypeOf<DrizzleTx<ReturnType<typeof drizzlePostgresJs>>>().toExtend<TransactionHandle>()
    expectTypeOf<DrizzleTx<ReturnType<typeof drizzlePGlite>>>().toExtend<TransactionHandle>()
    expectTypeOf<KyselyTransaction<{ a: { b: number } }>>().toExtend<TransactionHandle>()
    expectTypeOf<ControlledTransaction<{ a: { b: number } }>>().toExtend<TransactionHandle>()
    expectTypeOf<Knex.Transaction>().toExtend<TransactionHandle>()
    expectTypeOf<postgres.TransactionSql>().toExtend<TransactionHandle>()
    expectTypeOf<postgres.TransactionSql<{ bigint: bigint }>>().toExtend<TransactionHandle>()
    expectTypeOf<PGliteTransaction>().toExtend<TransactionHandle>()
  })

  test('does not take what would run outside the transaction', () => {
    expectTypeOf<pg.Pool>().not.toExtend<TransactionHandle>()
    expectTypeOf<Database>().not.toExtend<TransactionHandle>()
    expectTypeOf<ReturnType<typeof drizzlePg>>().not.toExtend<TransactionHandle>()
    expectTypeOf<Kysely<{ a: { b: number } }>>().not.toExtend<TransactionHandle>()
    expectTypeOf<Knex>().not.toExtend<TransactionHandle>()
    expectTypeOf<postgres.Sql>().not.toExtend<TransactionHandle>()
    expectTypeOf<PGlite>().not.toExtend<TransactionHandle>()
  })

  test('takes the transaction of a generated Prisma client, not the client', async () => {
    const client = await generatePrismaClient()
    try {
      const file = join(client.folder, 'use.ts')
      const resolve = fileURLToPath(new URL('../../src/clients/resolve.ts', import.meta.url))
      await writeFile(
        file,
        `import type { TransactionHandle } from ${JSON.stringify(resolve)}
import type { PrismaClient } from './client/index.js'
declare const prisma: PrismaClient
declare function write(client: TransactionHandle): void
void prisma.$transaction(async (tx) => write(tx))
// @ts-expect-error: the client itself is no transaction
write(prisma)
`,
      )
      expect(compile(file)).toEqual([])
    } finally {
      await client.remove()
    }
  })
})

test('DatabaseSource takes a pool, a PGlite and a Database, and no single client', () => {
  expectTypeOf<pg.Pool>().toExtend<DatabaseSource>()
  expectTypeOf<PGlite>().toExtend<DatabaseSource>()
  expectTypeOf<Database>().toExtend<DatabaseSource>()
  expectTypeOf<pg.PoolClient>().not.toExtend<DatabaseSource>()
})

/** Compiles one file and what it imports; answers the errors. */
function compile(file: string): string[] {
  const program = ts.createProgram([file], {
    target: ts.ScriptTarget.ES2022,
    lib: ['lib.es2023.d.ts', 'lib.esnext.disposable.d.ts'],
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    allowImportingTsExtensions: true,
    strict: true,
    skipLibCheck: true,
    noEmit: true,
    types: [],
    typeRoots: [],
  })
  const own = (path: string | undefined) => path === file
  return ts
    .getPreEmitDiagnostics(program)
    .filter((diagnostic) => own(diagnostic.file?.fileName))
    .map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'))
}
