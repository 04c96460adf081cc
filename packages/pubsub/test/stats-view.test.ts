import { expect, test } from 'vitest'
import { TwoProcesses } from './two-processes.js'

const bench = new TwoProcesses()

const streams = () => bench.rows('select * from howdah.stream_stats order by stream')
const groups = (stream: string) =>
  bench.rows('select * from howdah.stream_group_stats where stream = $1 order by "group"', [stream])

test('stream_stats and stream_group_stats tell what stats() tells', async () => {
  const stream = bench.pubSub(0).stream<number>(`"__proto__'; drop`)
  const empty = bench.pubSub(0).stream(bench.fresh())
  await empty.head()
  await stream.appendMany([1, 2, 3, 4].map((payload) => ({ payload })))
  const shared = stream.group('shared', { mode: 'shared', start: 'earliest', maxAttempts: 1 })
  const ordered = stream.group('ordered', { mode: 'ordered', start: 'earliest' })
  await (await ordered.consume(() => {}))[Symbol.asyncDispose]()
  const consumer = await shared.consume(({ payload }) => {
    if (payload === 2) throw new Error('no')
  })
  await expect
    .poll(async () => (await groups(stream.name)).map(({ dead, lag }) => [dead, lag]))
    .toContainEqual(['1', '0'])
  await consumer.close()

  const stats = await bench.pubSub(0).stats()
  const text = (object: object) =>
    Object.fromEntries(
      Object.entries(object).map(([k, v]) => [k, typeof v === 'number' ? String(v) : v]),
    )
  for (const { name, ...told } of stats.streams) {
    expect(await streams()).toContainEqual(expect.objectContaining({ stream: name, ...text(told) }))
  }
  for (const { name, stream: of, ...told } of stats.groups) {
    expect(await groups(of)).toContainEqual({
      stream: of,
      group: name,
      ...text(told),
    })
  }
  const [seen] = (await streams()).filter((row) => row['stream'] === stream.name)
  expect(seen).toMatchObject({ head: '4', messages: '4', groups: '2' })
  expect(stats.groups.map(({ estimated }) => estimated)).toEqual([false, false])
})

test('stream_group_stats estimates many dead letters, says so, and counts the few of another group', async () => {
  const stream = bench.pubSub(0).stream<number>(bench.fresh())
  await stream.append(1)
  for (const name of ['few', 'many']) {
    await (await stream.group(name, { mode: 'shared' }).consume(() => {})).close()
  }
  await bench.rows(`insert into howdah.stream_dead (grp, off, attempts, payload)
    select g.id, i, 5, to_json(repeat('x', 150)) from howdah.stream_group g, generate_series(1, 60000) i where g.name = 'many'
    union all select g.id, i, 5, 'null' from howdah.stream_group g, generate_series(1, 3) i where g.name = 'few'`)
  const [few, many] = await groups(stream.name)
  expect(few).toMatchObject({ group: 'few', dead: '3', estimated: false })
  expect(many).toMatchObject({ group: 'many', estimated: true })
  expect(Number(many?.['dead']) / 60_000).toBeGreaterThan(0.75)
  expect(Number(many?.['dead']) / 60_000).toBeLessThan(1.25)
})
