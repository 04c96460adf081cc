/** Milliseconds since the epoch, for {@link Statement} answers no times. */
export function ms(time: string): string {
  return `(pg_catalog.date_part('epoch'::text, ${time}) * 1000)::bigint`
}

/** Microseconds since the epoch: exact, as what tells one life of an id from another must be. */
export function micros(time: string): string {
  return `(pg_catalog.date_part('epoch'::text, ${time}) * 1000000)::bigint`
}

/** The server's time in milliseconds, as a column. */
export const NOW = `(pg_catalog.date_part('epoch'::text, statement_timestamp()) * 1000)::float8 as now`

/** The hour of a time, as it is indexed. */
export function hour(time: string): string {
  return `pg_catalog.floor(pg_catalog.date_part('epoch'::text, ${time}) / 3600)::int`
}

/**
 * When a session ends: so long from now, or at a moment, and never later than the longest life of a session allows. A null among the arguments of `least` does
 * not count.
 */
export function end({
  ttl,
  at,
  created,
  longest,
}: Record<'ttl' | 'at' | 'created' | 'longest', string>): string {
  return `least(
      coalesce(pg_catalog.to_timestamp(${at} / 1000), statement_timestamp() + ${ttl} * interval '1 ms'),
      ${created} + ${longest}::float8 * interval '1 ms')`
}
