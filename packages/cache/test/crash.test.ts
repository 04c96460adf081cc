import { startPostgres } from '@howdah/testkit'
import pg from 'pg'
import { expect, test } from 'vitest'
import { Cache } from '../src/index.js'
import { Bench } from './support.js'

const bench = new Bench()

test('a crash of the server empties an unlogged cache, and no version comes twice', async () => {
  await using server = await startPostgres()
  const pool = new pg.Pool({ connectionString: server.url })
  pool.on('error', () => {})
  const unlogged = new Cache({ pool, namespace: 'unlogged' })
  const logged = new Cache({ pool, namespace: 'logged', durability: 'logged' })
  await Promise.all([unlogged.set('k', 1), logged.set('k', 1, { tags: ['t'] })])
  await logged.set('gone', 1, { tags: ['invalid'] })
  await logged.invalidateTags(['invalid'])
  const versions: number[] = []
  for (let i = 0; i < 50; i++) {
    await unlogged.set('v', i)
    versions.push(Number((await unlogged.entry('v'))?.version))
  }
  const before = await unlogged.entry('v')
  await server.kill()
  await server.start()
  // Connections that died are found out by their next use.
  await expect.poll(() => unlogged.get('k').catch((error: Error) => error)).toBeUndefined()
  expect([await unlogged.has('v'), (await unlogged.stats()).entries]).toEqual([false, 0])
  expect(await logged.getMany(['k', 'gone'])).toEqual(new Map([['k', 1]]))
  await unlogged.set('v', 'after')
  const after = await unlogged.entry('v')
  expect(Number(after?.version)).toBeGreaterThan(Math.max(...versions))
  expect(await unlogged.compareAndSet('v', before?.version, 'never')).toBeUndefined()
  expect(await unlogged.compareAndSet('v', after?.version, 'yes')).toBeDefined()
  expect(await unlogged.getOrSet('load', () => 'loaded')).toBe('loaded')
  await logged.invalidateTags(['t'])
  expect(await logged.has('k')).toBe(false)
  await Promise.all([unlogged.close(), logged.close()])
  await pool.end()
}, 60_000)

test('a namespace is logged or unlogged from its first use on', async () => {
  const namespace = bench.fresh()
  await bench.cache({ namespace }).set('k', 1)
  const other = bench.cache({ namespace, durability: 'logged' })
  const conflict = { code: 'CACHE_DURABILITY_CONFLICT' }
  await expect(other.get('k')).rejects.toMatchObject(conflict)
  await expect(other.set('k', 1)).rejects.toMatchObject(conflict)
  await expect(other.clear()).rejects.toMatchObject(conflict)
  const kept = bench.cache({ durability: 'logged' })
  await kept.set('k', 1)
  expect(await bench.count(kept.name, 'cache_entry_logged')).toBe(1)
  await expect(bench.cache({ namespace: kept.name }).get('k')).rejects.toMatchObject(conflict)
})
