/**
 * What connect-pg-simple has stored. It lists nothing itself, but it has a query that answers the first row, and says what its table is called. `expire` has no time zone: it is by
 * that of the store's connections, so the same connections must say how long is left.
 */
import { type CallbackStore, call } from './callback-store.js'
import type { SessionSource, SourceSession } from './session-source.js'

/** connect-pg-simple by shape. */
interface PgSimple extends CallbackStore {
  query(
    sql: string,
    parameters: unknown[],
    callback: (error: unknown, row?: unknown) => void,
  ): unknown
  quotedTable(): string
}

interface Row {
  readonly id: string
  readonly data: unknown
  readonly ttl: number | null
}

const NOW = 'pg_catalog.statement_timestamp()'

export function isPgSimple(store: CallbackStore): store is PgSimple {
  const { query, quotedTable } = store as Partial<PgSimple>
  return typeof query === 'function' && typeof quotedTable === 'function'
}

export function pgSimpleSource(store: PgSimple): SessionSource {
  const first = async <Value>(sql: string, parameters: unknown[]): Promise<readonly Value[]> => {
    const row = await call((done) => store.query(sql, parameters, done))
    return (row as { readonly found: readonly Value[] | null } | undefined)?.found ?? []
  }
  const page = /* sql */ `
    select pg_catalog.json_agg(pg_catalog.json_build_object('id', p.sid, 'data', p.sess, 'ttl', p.ttl) order by p.sid) as found
    from (
      select s.sid, s.sess, case when pg_catalog.isfinite(s.expire) then
          pg_catalog.date_part('epoch', s.expire::timestamptz - ${NOW}) * 1000 end as ttl
      from ${store.quotedTable()} s where s.sid > $1::text and s.expire > ${NOW}
      order by s.sid limit $2::int
    ) p`
  const live = /* sql */ `
    select pg_catalog.json_agg(s.sid) as found
    from ${store.quotedTable()} s where s.sid = any($1::text[]) and s.expire > ${NOW}`
  return {
    async *batches(size) {
      let after = ''
      for (;;) {
        const rows = await first<Row>(page, [after, size])
        yield rows.map(parsed)
        const last = rows.at(-1)
        if (last === undefined || rows.length < size) return
        after = last.id
      }
    },
    async live(ids) {
      return new Set(await first<string>(live, [[...ids]]))
    },
  }
}

/** Tables from before there was JSON have text. */
function parsed({ id, data, ttl }: Row): SourceSession {
  if (typeof data !== 'string') return { id, data, ttl: ttl ?? undefined }
  try {
    return { id, data: JSON.parse(data), ttl: ttl ?? undefined }
  } catch {
    return { id, data: undefined, ttl: ttl ?? undefined }
  }
}
