import { mkdtemp, realpath, rm, symlink } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

const require = createRequire(import.meta.url)

const schema = /* prisma */ `
  generator client {
    provider = "prisma-client-js"
  }
  datasource db {
    provider = "postgresql"
  }
  model Query {
    id Int @id
  }
`

/** A Prisma client generated into a temporary folder, which `remove` deletes. */
export interface GeneratedPrismaClient {
  readonly folder: string
  readonly module: { readonly PrismaClient: new (options: unknown) => PrismaClientLike }
  remove(): Promise<void>
}

export interface PrismaClientLike {
  // biome-ignore lint/suspicious/noExplicitAny: generated at run time
  $transaction<T>(fn: (tx: any) => Promise<T>): Promise<T>
  $disconnect(): Promise<void>
}

/**
 * Does what `prisma generate` does, by the same generator. Prisma's command line itself depends on packages that need Node 22.
 */
export async function generatePrismaClient(): Promise<GeneratedPrismaClient> {
  const folder = await realpath(await mkdtemp(join(tmpdir(), 'howdah-prisma-')))
  const { generateClient } = require('@prisma/client-generator-js')
  const { getConfig, getDMMF } = require('@prisma/internals')
  const runtime = dirname(require.resolve('@prisma/client/runtime/client.js'))
  // The generated code finds the packages of its runtime beside @prisma/client.
  await symlink(join(await realpath(runtime), '../../..'), join(folder, 'node_modules'))
  const config = await getConfig({ datamodel: [['schema.prisma', schema]] })
  const cache = process.env['XDG_CACHE_HOME']
  // The generator leaves a mark in the user's cache folder.
  process.env['XDG_CACHE_HOME'] = folder
  await generateClient({
    datamodel: schema,
    schemaPath: join(folder, 'schema.prisma'),
    outputDir: join(folder, 'client'),
    generator: { ...config.generators[0], isCustomOutput: true },
    dmmf: await getDMMF({ datamodel: schema }),
    datasources: config.datasources,
    binaryPaths: {},
    runtimeSourcePath: runtime,
    engineVersion: 'none',
    clientVersion: require('@prisma/client/package.json').version,
    activeProvider: 'postgresql',
    compilerBuild: 'small',
  })
  if (cache === undefined) delete process.env['XDG_CACHE_HOME']
  else process.env['XDG_CACHE_HOME'] = cache
  return {
    folder,
    module: require(join(folder, 'client')),
    remove: () => rm(folder, { recursive: true, force: true }),
  }
}
