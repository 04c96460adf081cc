import { startPostgres } from '@howdah/testkit'

/** A PostgreSQL to run on. */
export interface RunningDatabase {
  readonly url: string
  close(): Promise<void>
}

/** Uses the server that `DATABASE_URL` names, or starts one of its own that is gone when the application ends. */
export async function openDatabase(): Promise<RunningDatabase> {
  const url = process.env['DATABASE_URL']
  if (url !== undefined && url !== '') return { url, close: async () => {} }
  const server = await startPostgres()
  return { url: server.url, close: () => server.close() }
}
