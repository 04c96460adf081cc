import { type HowdahDriverOptions, howdahDriver } from '@howdah/cache/unstorage'
import { testDatabase } from '@howdah/testkit'
import type pg from 'pg'
import {
  createStorage,
  type Driver,
  prefixStorage,
  restoreSnapshot,
  type Storage,
  snapshot,
} from 'unstorage'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'

let database: Awaited<ReturnType<typeof testDatabase>>
let pool: pg.Pool
let namespaces = 0
let open: Storage[] = []

beforeAll(async () => {
  database = await testDatabase()
  pool = database.pool()
})
afterEach(async () => {
  await Promise.all(open.map((storage) => storage.dispose()))
  open = []
})
afterAll(() => database.close())

function newDriver(options: Partial<HowdahDriverOptions> = {}) {
  return howdahDriver({ pool, namespace: `test-${++namespaces}`, ...options })
}

/** A storage on a driver of its own. */
function newStorage(options: Partial<HowdahDriverOptions> = {}): Storage {
  const driver: Driver = newDriver(options)
  const storage = createStorage({ driver })
  open.push(storage)
  return storage
}

describe('items', () => {
  test('are missing at first', async () => {
    const storage = newStorage()
    expect(await storage.hasItem('s1:a')).toBe(false)
    expect(await storage.getItem('s2:a')).toBeNull()
    expect(await storage.getItemRaw('s2:a')).toBeNull()
    expect(await storage.getKeys()).toEqual([])
  })

  test('are stored under normalised keys', async () => {
    const storage = newStorage()
    await storage.setItem('s1/a', 'data')
    await storage.setItem('s3:a?q=1', 'data')
    expect(await storage.hasItem('s1:a')).toBe(true)
    expect([await storage.getItem('s1:a'), await storage.getItem('s3:a?q=2')]).toEqual([
      'data',
      'data',
    ])
    expect((await storage.getKeys()).sort()).toEqual(['s1:a', 's3:a'])
  })

  test.each([{ json: 'works', nested: [1, null] }, [], true, false, 0, 'text with \0', ''])(
    'come back as unstorage wrote them: %j',
    async (value) => {
      const storage = newStorage()
      await storage.setItem('k', value)
      expect(await storage.getItem('k')).toEqual(value)
      expect(await storage.hasItem('k')).toBe(true)
    },
  )

  test('are written by toJSON(), and refused where there is none', async () => {
    const storage = newStorage()
    const date = new Date(0)
    await storage.setItem('date', date)
    await storage.setItem('object', { toJSON: () => ({ serialized: 'works' }) })
    expect(await storage.getItem('date')).toBe(date.toJSON())
    expect(await storage.getItem('object')).toEqual({ serialized: 'works' })
    await expect(storage.setItem('bad', new (class Other {})())).rejects.toThrow('Cannot stringify')
  })

  test('undefined removes', async () => {
    const storage = newStorage()
    await storage.setItem('k', 1)
    await storage.setItem('k', undefined as never)
    expect(await storage.hasItem('k')).toBe(false)
  })

  test('are removed, with their meta where asked', async () => {
    const storage = newStorage()
    await storage.setItem('s1:a', 'data')
    await storage.setMeta('s1:a', { owner: 'me' })
    await storage.removeItem('s1:a', { removeMeta: true })
    expect([await storage.hasItem('s1:a'), await storage.getItem('s1:a')]).toEqual([false, null])
    expect(await storage.getMeta('s1:a')).toEqual({})
  })

  test('are set and read many at once, in their order', async () => {
    const storage = newStorage()
    await storage.setItems<string | number | object>([
      { key: 't:1', value: 'one' },
      { key: 't:2', value: { n: 2 } },
      { key: 't:3?q=1', value: 0 },
    ])
    expect(await storage.getItems([{ key: 't:3' }, 't:unknown', 't:1', 't:2?q=5'])).toEqual([
      { key: 't:3', value: 0 },
      { key: 't:unknown', value: null },
      { key: 't:1', value: 'one' },
      { key: 't:2', value: { n: 2 } },
    ])
  })
})

describe('raw items', () => {
  const data = Uint8Array.from({ length: 300 }, (_, n) => n)

  test.each([
    ['Uint8Array', data],
    ['Buffer', Buffer.from(data)],
    ['a part of a buffer', data.subarray(7, 100)],
    ['ArrayBuffer', data.buffer],
    ['Uint16Array', new Uint16Array(data.buffer, 2, 100)],
    ['no bytes', new Uint8Array()],
  ])('%s comes back byte for byte', async (_name, value) => {
    const storage = newStorage()
    await storage.setItemRaw('data/raw.bin', value)
    const found = await storage.getItemRaw<Uint8Array>('data/raw.bin')
    const view = ArrayBuffer.isView(value)
      ? Buffer.from(value.buffer, value.byteOffset, value.byteLength)
      : Buffer.from(value)
    expect(found).toBeInstanceOf(Uint8Array)
    expect(Buffer.from(found ?? []).equals(view)).toBe(true)
  })

  test('a text is the same raw and not', async () => {
    const storage = newStorage()
    await storage.setItemRaw('raw', 'text')
    await storage.setItem('item', 'text')
    expect([await storage.getItem('raw'), await storage.getItemRaw('item')]).toEqual([
      'text',
      'text',
    ])
  })
})

describe('keys', () => {
  test('are listed below a base and to a depth', async () => {
    const storage = newStorage()
    const keys = ['d0', 'd0:d1:a', 'd0:d1:b', 'd0:a', 'd0x:a', 'd_', 'd%:a']
    for (const key of keys) await storage.setItem(key, 1)
    expect((await storage.getKeys()).sort()).toEqual([...keys].sort())
    expect((await storage.getKeys('d0')).sort()).toEqual(['d0:a', 'd0:d1:a', 'd0:d1:b'])
    expect((await storage.getKeys('d0:d1')).sort()).toEqual(['d0:d1:a', 'd0:d1:b'])
    expect(await storage.getKeys('d%')).toEqual(['d%:a'])
    expect((await storage.getKeys(undefined, { maxDepth: 0 })).sort()).toEqual(['d0', 'd_'])
    expect((await storage.getKeys(undefined, { maxDepth: 1 })).sort()).toEqual(
      ['d%:a', 'd0', 'd0:a', 'd0x:a', 'd_'].sort(),
    )
  })

  test('are cleared below a base, comparing characters, or all', async () => {
    const [driver, other] = [newDriver({ namespace: 'a_b' }), newDriver({ namespace: 'axb' })]
    const [storage, others] = [driver, other].map((each) => {
      const made = createStorage({ driver: each })
      open.push(made)
      return made
    }) as [Storage, Storage]
    for (const key of ['n_s:1', 'n_s:2', 'nxs:1', 'n_s']) {
      await storage.setItem(key, 1)
      await others.setItem(key, 1)
    }
    // unstorage asks a driver for a base only where the driver is mounted below it, which never happens at the root.
    await driver.clear('n_s:')
    expect((await storage.getKeys()).sort()).toEqual(['n_s', 'nxs:1'])
    await storage.clear()
    await storage.clear()
    expect(await storage.getKeys()).toEqual([])
    expect((await others.getKeys()).length).toBe(4)
  })

  test('are those of a mount', async () => {
    const storage = createStorage()
    open.push(storage)
    storage.mount('db', newDriver())
    await storage.setItem('db:x:1', 1)
    await storage.setItem('memory', 2)
    expect((await storage.getKeys()).sort()).toEqual(['db:x:1', 'memory'])
    expect(await storage.getItems(['db:x:1', 'memory'])).toEqual([
      { key: 'db:x:1', value: 1 },
      { key: 'memory', value: 2 },
    ])
    const below = prefixStorage(storage, 'db')
    expect(await below.getKeys()).toEqual(['x:1'])
    await below.clear()
    expect(await storage.getKeys()).toEqual(['memory'])
    await storage.unmount('db')
  })

  test('make a snapshot, which can be restored', async () => {
    const [storage, copy] = [newStorage(), newStorage()]
    await storage.setItem('a:1', 'one')
    await storage.setItem('a:2', { n: 2 })
    await restoreSnapshot(copy, await snapshot(storage, 'a'))
    expect(await copy.getItem('2')).toEqual({ n: 2 })
    expect((await copy.getKeys()).sort()).toEqual(['1', '2'])
  })
})

describe('time to live', () => {
  test('is given in seconds and told as meta', async () => {
    const storage = newStorage()
    await storage.setItem('k', 1, { ttl: 3600 })
    await storage.setItem('forever', 1)
    const { ttl } = await storage.getMeta('k')
    expect(ttl).toBeGreaterThan(3000)
    expect(ttl).toBeLessThanOrEqual(3600)
    expect(await storage.getMeta('forever')).toEqual({})
    expect(await storage.getMeta('unknown')).toEqual({})
  })

  test('ends an item, one of many and a raw one', async () => {
    const storage = newStorage()
    await storage.setItem('short', 1, { ttl: 0.001 })
    await storage.setItemRaw('raw', Buffer.from('x'), { ttl: 0.001 })
    await storage.setItems(
      [
        { key: 'many:1', value: 1 },
        { key: 'many:2', value: 2, options: { ttl: 600 } },
      ],
      { ttl: 0.001 },
    )
    await expect.poll(() => storage.getKeys()).toEqual(['many:2'])
    await storage.setItem('many:2', 3, { ttl: -1 })
    expect(await storage.hasItem('many:2')).toBe(false)
  })

  test('is by default that of the driver', async () => {
    const storage = newStorage({ ttl: '10m' })
    await storage.setItem('k', 1)
    expect((await storage.getMeta('k')).ttl).toBeLessThanOrEqual(600)
    await storage.setItem('k', 1, { ttl: 6000 })
    expect((await storage.getMeta('k')).ttl).toBeGreaterThan(600)
  })
})

describe('howdahDriver()', () => {
  test('gives every process the same, and tells watchers of its own writes', async () => {
    const namespace = 'shared'
    const [ours, theirs] = [
      newStorage({ namespace }),
      newStorage({ namespace, pool: database.pool() }),
    ]
    const events: string[] = []
    await ours.watch((event, key) => events.push(`${event} ${key}`))
    await ours.setItem('k', 1)
    expect(await theirs.getItem('k')).toBe(1)
    await theirs.removeItem('k')
    expect(await ours.getItem('k')).toBeNull()
    await ours.removeItem('k')
    expect(events).toEqual(['update k', 'remove k'])
  })

  test('gives its cache, and leaves the pool when disposed of', async () => {
    const driver = newDriver()
    const storage = createStorage({ driver })
    await storage.setItem('k', 'v')
    expect(await driver.getInstance().get('k')).toBe('v')
    await storage.dispose()
    await expect(storage.getItem('k')).rejects.toMatchObject({ code: 'CACHE_CLOSED' })
    expect((await pool.query('select 1 as one')).rows).toEqual([{ one: 1 }])
  })

  test('refuses options at once', () => {
    expect(() => howdahDriver({ pool, namespace: '' })).toThrow(
      expect.objectContaining({ code: 'CACHE_INVALID_OPTION' }),
    )
  })
})
