import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Cache } from '@howdah/cache'
import { Database } from '@howdah/core'
import { metrics } from '@howdah/core/metrics'
import { PubSub } from '@howdah/pubsub'
import { Queue } from '@howdah/queue'
import { SearchIndex } from '@howdah/search'
import { Sessions } from '@howdah/session'
import { testDatabase } from '@howdah/testkit'
import { beforeAll, describe, expect, test, vi } from 'vitest'
import {
  type ParsedFamily,
  parseOpenMetrics,
} from '../../packages/core/test/metrics/open-metrics-parser.js'
import { ROOT } from './markdown.js'

/** What one scrape tells of an application that has used everything. */
let families: readonly ParsedFamily[]

beforeAll(async () => {
  const database = await testDatabase()
  const pool = database.pool()
  const db = Database.from(pool)
  const queue = new Queue<number>('mails', { pool, attempts: 1 })
  const cache = new Cache({ pool, namespace: 'prices', near: {} })
  const pubsub = new PubSub({ pool })
  const sessions = new Sessions({ pool })
  await pool.query('create table offer (id int primary key, title text)')
  await pool.query(`insert into offer values (1, 'Tea')`)
  const fields = { title: {} }
  const offers = new SearchIndex('offers', {
    pool,
    table: 'offer',
    key: 'id',
    fields,
    log: 'plain',
  })
  const measured = metrics([db.hub, queue, cache, pubsub, sessions, offers])

  await offers.attach()
  await offers.search('tea')

  await cache.set('tea', 1)
  await cache.get('tea')
  await cache.get('coffee')
  const { id } = await sessions.create({ userId: '42' })
  await sessions.load(id)
  const channel = pubsub.channel<number>('news')
  await channel.subscribe(() => {})
  await channel.publish(1)
  const stream = pubsub.stream<number>('orders')
  const consumer = await stream.group('g', { mode: 'shared' }).consume(() => {})
  await stream.append(1)
  await queue.addMany([1, 2])
  const worker = queue.work((job) => {
    if (job.payload === 2) throw new Error('no')
  })
  await vi.waitFor(
    async () => {
      expect(await queue.stats()).toMatchObject({ dead: 1, totals: { completed: 1 } })
      expect(db.hub.stats().lastAliveAt).toBeDefined()
    },
    { timeout: 30_000 },
  )
  families = parseOpenMetrics(await measured.text())

  measured.close()
  await Promise.all([worker.close(), consumer.close()])
  await Promise.all([queue.close(), cache.close(), pubsub.close(), sessions.close()])
  await offers.close()
  await db.close()
  await database.close()
}, 60_000)

const value = (name: string, labels: Readonly<Record<string, string>> = {}) =>
  families
    .flatMap(({ samples }) => samples)
    .find(
      (sample) =>
        sample.name === name &&
        Object.entries(labels).every(([label, text]) => sample.labels[label] === text),
    )?.value

test('every package tells what it knows, and its operations are measured', () => {
  const queue = 'mails'
  expect(value('howdah_queue_jobs', { queue, state: 'dead' })).toBe(1)
  expect(value('howdah_queue_completed_jobs_total', { queue })).toBe(1)
  expect(value('howdah_cache_misses_total', { namespace: 'prices' })).toBe(1)
  expect(value('howdah_cache_entries', { namespace: 'prices' })).toBe(1)
  expect(value('howdah_stream_appended_messages_total', { stream: 'orders' })).toBe(1)
  expect(value('howdah_sessions', { name: 'default' })).toBe(1)
  expect(value('howdah_search_documents', { index: 'offers' })).toBe(1)
  expect(value('howdah_hub_state', { state: 'listening' })).toBe(1)
  const items = (operation: string, target: string) =>
    value('howdah_operation_items_total', { operation, target })
  expect(items('add', queue)).toBe(2)
  expect(items('set', 'prices')).toBe(1)
  expect(items('append', 'orders')).toBe(1)
  expect(value('howdah_operation_items_total', { operation: 'publish' })).toBe(1)
  expect(value('howdah_operation_errors_total', { operation: 'process', code: 'other' })).toBe(1)
  const up = families.find(({ name }) => name === 'howdah_source_up')?.samples
  expect(up?.map((sample) => [sample.labels['package'], sample.value])).toEqual(
    ['core', 'queue', 'cache', 'pubsub', 'session', 'search'].map((name) => [name, 1]),
  )
  expect(value('howdah_scrape_left_out_samples')).toBe(0)
})

test('names keep the conventions of Prometheus', () => {
  for (const { name, type, unit } of families) {
    expect(name).toMatch(/^howdah(?:_[a-z]+)+$/)
    if (type === 'gauge') expect(name, name).not.toMatch(/_(?:total|count|sum|bucket)$/)
    const suffix = /_(seconds|bytes|ratio|milliseconds|ms|percent)$/.exec(name)?.[1] ?? ''
    expect(unit, name).toBe(suffix)
  }
})

test('the page lists every metric as it is, and no other', () => {
  const page = readFileSync(join(ROOT, 'docs/metrics.md'), 'utf8')
  const listed = page.split('\n').filter((line) => line.startsWith('| `howdah_'))
  const rows = families.map(({ name, type, help, samples }) => {
    const labels = Object.keys(samples[0]?.labels ?? {}).filter((label) => label !== 'le')
    const shown = type === 'counter' ? `${name}_total` : name
    return `| \`${shown}\` | ${type} | ${labels.map((label) => `\`${label}\``).join(' ')} | ${help} |`
  })
  expect(listed.toSorted()).toEqual(rows.toSorted())
})

describe('the dashboard', () => {
  const text = readFileSync(join(ROOT, 'docs/grafana/howdah.json'), 'utf8')
  const dashboard = JSON.parse(text) as {
    readonly panels: readonly {
      readonly id: number
      readonly type: string
      readonly gridPos: Readonly<Record<'x' | 'y' | 'w' | 'h', number>>
      readonly targets?: readonly { readonly expr: string }[]
    }[]
  }
  const named = (expression: string) => expression.match(/\bhowdah_\w+/g) ?? []

  test('names only metrics that are exposed, with labels that they have', () => {
    const exposed = new Set(families.flatMap(({ samples }) => samples.map(({ name }) => name)))
    const all = named(text)
    expect(all.length).toBeGreaterThan(30)
    expect(all.filter((name) => !exposed.has(name))).toEqual([])
    const known = new Set(
      families.flatMap(({ samples }) => samples.flatMap(({ labels }) => Object.keys(labels))),
    )
    for (const label of text.matchAll(/\{\{(\w+)\}\}/g)) expect(known).toContain(label[1])
    for (const by of text.matchAll(/ by \(([\w, ]+)\)/g)) {
      for (const label of by[1]?.split(', ') ?? []) expect(known).toContain(label)
    }
  })

  test('shows something of every metric but those that are of no use on it', () => {
    const shown = new Set(named(text).map((name) => name.replace(/_(?:total|bucket)$/, '')))
    const missing = families.map(({ name }) => name).filter((name) => !shown.has(name))
    expect(missing.toSorted()).toEqual([
      'howdah_cache_entries',
      'howdah_cache_near_entries',
      'howdah_cache_stale_hits',
      'howdah_hub_handlers',
      'howdah_hub_last_alive_timestamp_seconds',
      'howdah_queue_cancelled_jobs',
      'howdah_queue_expired_jobs',
      'howdah_scrape_left_out_samples',
      'howdah_search_log_dropped_searches',
      'howdah_search_segments',
      'howdah_search_words',
      'howdah_stream_group_members',
      'howdah_stream_messages',
      'howdah_stream_oldest_unsequenced_age_seconds',
      'howdah_stream_unsequenced_messages',
    ])
  })

  test('has panels that say what they query and do not overlap', () => {
    const { panels } = dashboard
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length)
    for (const { type, targets } of panels) {
      if (type !== 'row') expect(targets?.length).toBeGreaterThan(0)
    }
    const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) =>
      Array.from({ length: w * h }, (_, n) => `${x + (n % w)},${y + Math.floor(n / w)}`),
    )
    expect(new Set(cells).size).toBe(cells.length)
    expect(cells.every((cell) => Number(cell.split(',')[0]) < 24)).toBe(true)
  })
})
