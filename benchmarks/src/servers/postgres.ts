import { startPostgres } from '@howdah/testkit'
import { Client, type ClientConfig, Pool, type PoolConfig } from 'pg'
import { familySeconds, postmasterOf } from '../measure/process-cpu.js'

const REPORTED_SETTINGS = [
  'shared_buffers',
  'fsync',
  'synchronous_commit',
  'full_page_writes',
  'wal_level',
  'max_wal_size',
  'max_connections',
  'jit',
]

/** The PostgreSQL the contenders run on. */
export interface PostgresUnderTest {
  readonly version: string
  readonly url: string
  readonly settings: Readonly<Record<string, string>>
  pool(options?: PoolConfig): Pool
  connect(options?: ClientConfig): Promise<Client>
  cpuSeconds(): number | undefined
  close(): Promise<void>
}

/** Starts a server with PostgreSQL's own durable defaults, or makes a database on the one `DATABASE_URL` names. */
export async function startPostgresUnderTest(): Promise<PostgresUnderTest> {
  const url = process.env['DATABASE_URL']
  const server = await startPostgres(url ? { provider: 'url', url } : { durable: true })
  const open: (Pool | Client)[] = []
  try {
    const database = await server.createDatabase()
    const pool = (options: PoolConfig = {}) => {
      const made = new Pool({ ...options, connectionString: database.url })
      made.on('error', () => {})
      open.push(made)
      return made
    }
    const connect = async (options: ClientConfig = {}) => {
      const made = new Client({ ...options, connectionString: database.url })
      made.on('error', () => {})
      await made.connect()
      open.push(made)
      return made
    }
    const { version, settings, pid } = await describe(pool({ max: 1 }))
    const postmaster = postmasterOf(pid)
    return {
      version,
      url: database.url,
      settings,
      pool,
      connect,
      cpuSeconds: () => (postmaster === undefined ? undefined : familySeconds(postmaster)),
      async close() {
        await Promise.all(open.map((made) => made.end()))
        await database.close()
        await server.close()
      },
    }
  } catch (error) {
    await server.close()
    throw error
  }
}

async function describe(pool: Pool) {
  const { rows } = await pool.query<{ version: string; pid: number }>(
    `select current_setting('server_version') as version, pg_backend_pid() as pid`,
  )
  const settings = await pool.query<{ name: string; value: string }>(
    'select name, current_setting(name) as value from pg_settings where name = any($1) order by name',
    [REPORTED_SETTINGS],
  )
  const [{ version, pid } = { version: 'unknown', pid: 0 }] = rows
  return {
    version: version.split(' ')[0] as string,
    pid,
    settings: Object.fromEntries(settings.rows.map(({ name, value }) => [name, value])),
  }
}
