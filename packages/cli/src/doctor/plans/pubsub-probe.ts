import type { Statement } from '@howdah/core'
import type { Installable } from '../../installed.js'
import { BACKLOG, NAME, type Probe, texts } from './probe.js'

/** A stream that is in order, and a group at its beginning. */
export function pubsubProbe({ hotStatements: hot }: Installable['pubsub']): Probe {
  return {
    package: 'pubsub',
    tables: ['stream_log', 'stream_pending'],
    async *operations(run, schema) {
      const [opened] = await run(hot.openStream(schema, NAME, '{}'))
      const stream = opened?.id ?? 0
      const messages = texts(BACKLOG, (n) => `{"n":${n}}`).map((payload) => ({
        stream,
        payload,
        key: null,
        headers: null,
      }))
      const [appended] = await run(hot.append(schema, messages))
      await run(putInOrder(schema, stream, appended?.ids ?? ''))
      const [one] = messages
      if (one !== undefined) {
        yield { name: 'appending a message', statement: hot.append(schema, [one]) }
      }
      yield {
        name: 'reading 100 messages',
        statement: hot.readStream(schema, stream, null, BACKLOG / 2, 100, 1e6),
      }
      const [group] = await run(hot.openGroup(schema, stream, NAME, 'shared', 1, null, BACKLOG / 2))
      const take = hot.takeShared(schema, group?.id ?? 0, 'doctor', 10, 60_000, 5)
      yield { name: 'giving 10 messages to a shared group', statement: take }
      const [taken] = await run(take)
      const ends = (taken?.given ?? []).map(([off, lease]) => ({
        off,
        lease,
        delay: null,
        error: null,
      }))
      yield {
        name: 'ending 10 messages of a shared group',
        statement: hot.settleShared(schema, group?.id ?? 0, ends, 60_000),
      }
    },
  }
}

/** Messages are put in order by a transaction that has written nothing, so here it is said where they stand. */
function putInOrder(s: string, stream: number, ids: string): Statement {
  return {
    name: 'doctor.segments',
    text: /* sql */ `
      insert into ${s}.stream_segment (stream, first, last, epoch, total, ids)
      select $1::int, min(i.n), max(i.n), 1, max(i.n) * 20, array_agg(i.id order by i.n)
      from unnest(string_to_array($2::text, ',')::bigint[]) with ordinality as i(id, n) group by (i.n - 1) / 500`,
    values: [stream, ids],
  }
}
