import { SearchIndex, type SearchIndexOptions, type SearchOptions } from '@howdah/search'
import { type TestDatabase, testDatabase } from '@howdah/testkit'
import fc from 'fast-check'
import type { Pool } from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { random } from './brute-force.js'

const RADIUS = 6_371_008.8

let database: TestDatabase
let pool: Pool
let towns: SearchIndex
let spots: SearchIndex
const placed = new Map<string, { lat: number; lon: number }>()
/** Where columns hold what is not on the globe, or nothing. */
const NOWHERE: [number | string | null, number | string | null][] = [
  [null, null],
  [10, null],
  [null, 10],
  ['NaN', 0],
  [0, 'NaN'],
  ['Infinity', 0],
  [0, '-Infinity'],
  [90.000001, 0],
  [0, 180.000001],
  [1e300, 1e300],
]

const townOptions = (): SearchIndexOptions => ({
  pool,
  table: 'town',
  key: 'name',
  fields: { name: {}, about: {} },
  facets: ['country'],
  sort: ['name'],
  geo: { place: { lat: 'latitude', lon: 'longitude' }, twin: { lat: 'twin_lat', lon: 'twin_lon' } },
})

beforeAll(async () => {
  database = await testDatabase()
  pool = database.pool()
  await pool.query(`create table town (
    name text primary key, about text, country text, latitude numeric(9, 6), longitude numeric(9, 6), twin_lat real, twin_lon real)`)
  await pool.query(`insert into town values
    ('Paris', 'A tower and museums', 'fr', 48.8566, 2.3522, 41.9028, 12.4964),
    ('Lyon', 'Rivers and museums', 'fr', 45.7640, 4.8357, null, null),
    ('London', 'A tower, a river', 'uk', 51.5074, -0.1278, 52.52, 13.405),
    ('Suva', 'Islands', 'fj', -18.1248, 178.4501, null, null),
    ('Apia', 'Islands', 'ws', -13.8507, -171.7514, null, null),
    ('Atlantis', 'A tower under water', null, null, null, null, null)`)
  await pool.query(
    'create table spot (id int primary key, body text, lat double precision, lon double precision)',
  )
  const next = random(7)
  const edge = [0, 90, -90, 89.9999999, -89.9999999, 180, -180, 179.9999999, -179.9999999, 45, 1e-7]
  const pick = (most: number) => {
    const one = edge[Math.floor(next() * edge.length)] ?? 0
    return next() < 0.3 && Math.abs(one) <= most ? one : (next() * 2 - 1) * most
  }
  const rows = Array.from({ length: 500 }, (_, at) => {
    const point = at < 2 ? { lat: 5e-324, lon: 1e-200 * at } : { lat: pick(90), lon: pick(180) }
    placed.set(String(at), point)
    return { id: at, body: 'spot', ...point }
  })
  await pool.query('insert into spot select * from json_populate_recordset(null::spot, $1)', [
    JSON.stringify(rows),
  ])
  for (const [at, [lat, lon]] of NOWHERE.entries()) {
    await pool.query('insert into spot values ($1, $2, $3, $4)', [1000 + at, 'spot', lat, lon])
  }
  towns = new SearchIndex('towns', townOptions())
  spots = new SearchIndex('spots', {
    pool,
    table: 'spot',
    key: 'id',
    fields: { body: {} },
    geo: { here: { lat: 'lat', lon: 'lon' } },
  })
  await towns.attach()
  await spots.attach()
})
afterAll(async () => {
  await Promise.all([towns, spots].map((index) => index.close()))
  await database.close()
})

const keys = async (query: string, options: SearchOptions) =>
  (await towns.search(query, options)).hits.map((hit) => hit.key)

const PARIS = { lat: 48.8566, lon: 2.3522 }

test('a filter by distance holds for words, for everything, and for facets and total', async () => {
  const near = { near: PARIS, within: 400_000 }
  expect(await keys('', { filters: { place: near } })).toEqual(['London', 'Lyon', 'Paris'])
  const found = await towns.search('tower islands', {
    filters: { place: near },
    facets: ['country'],
  })
  expect(found.total).toBe(2)
  expect(found.hits.map(({ key }) => key).toSorted()).toEqual(['London', 'Paris'])
  expect(found.facets['country']?.map(({ value }) => value)).toEqual(['fr', 'uk'])
  const both = { place: near, country: 'fr' }
  expect(await keys('museums', { filters: both })).toHaveLength(2)
  expect(await keys('', { filters: { place: { near: PARIS, within: 0.5 } } })).toEqual(['Paris'])
  const { hits } = await towns.moreLikeThis('London', { filters: { place: near } })
  expect(hits.map(({ key }) => key).toSorted()).toEqual(['Lyon', 'Paris'])
})

test('hits are sorted by distance and say it; a row that is nowhere comes last, either way', async () => {
  const { hits } = await towns.search('', { sort: [{ near: 'place', ...PARIS }, 'name'] })
  expect(hits.map(({ key }) => key)).toEqual([
    'Paris',
    'London',
    'Lyon',
    'Apia',
    'Suva',
    'Atlantis',
  ])
  expect(hits[0]?.distances).toEqual({ place: 0 })
  expect(hits[1]?.distances?.['place']).toBeCloseTo(343_556, -2)
  expect(hits[5]?.distances).toEqual({})
  const far = await keys('tower', { sort: [{ near: 'place', ...PARIS, order: 'desc' }] })
  expect(far).toEqual(['London', 'Paris', 'Atlantis'])
  expect((await towns.search('tower')).hits[0]).not.toHaveProperty('distances')
})

test('places are independent, and a distance is measured from where the order is', async () => {
  const rome = { lat: 41.9028, lon: 12.4964 }
  const { hits } = await towns.search('', {
    filters: { twin: { near: rome, within: 2_000_000 }, place: { near: rome, within: 1_500_000 } },
    sort: [{ near: 'place', lat: 51.5, lon: 0 }],
  })
  expect(hits.map(({ key }) => key)).toEqual(['London', 'Paris'])
  const [london] = hits
  expect(london?.distances?.['place']).toBeLessThan(10_000)
  // A real has seven digits.
  expect(hits[1]?.distances?.['twin']).toBeLessThan(1)
  expect(london?.distances?.['twin']).toBeGreaterThan(1_000_000)
})

test('a filter reaches across the date line', async () => {
  const suva = { lat: -18.1248, lon: 178.4501 }
  const apia = { lat: -13.8507, lon: -171.7514 }
  for (const near of [suva, apia]) {
    expect(await keys('', { filters: { place: { near, within: 1_200_000 } } })).toEqual([
      'Apia',
      'Suva',
    ])
  }
})

/** By vectors, which is as exact everywhere. */
function metres(a: { lat: number; lon: number }, b: { lat: number; lon: number }): number {
  const vector = ({ lat, lon }: { lat: number; lon: number }) => {
    const [phi, lambda] = [(lat * Math.PI) / 180, (lon * Math.PI) / 180]
    return [
      Math.cos(phi) * Math.cos(lambda),
      Math.cos(phi) * Math.sin(lambda),
      Math.sin(phi),
    ] as const
  }
  const [[x1, y1, z1], [x2, y2, z2]] = [vector(a), vector(b)]
  const cross = Math.hypot(y1 * z2 - z1 * y2, z1 * x2 - x1 * z2, x1 * y2 - y1 * x2)
  return RADIUS * Math.atan2(cross, x1 * x2 + y1 * y2 + z1 * z2)
}

const latitude = fc.oneof(
  fc.constantFrom(90, -90, 0, 89.9999999, -89.99, 60),
  fc.double({ min: -90, max: 90, noNaN: true }),
)
const longitude = fc.oneof(
  fc.constantFrom(180, -180, 0, 179.9999999, -179.99, 90, -90),
  fc.double({ min: -180, max: 180, noNaN: true }),
)
const exponent = fc.double({ min: -3, max: 7.5, noNaN: true })

test('what is found and how far it is are those of a reference, at poles and the date line too', async () => {
  await pool.query('create index on spot (lat, lon)')
  const where = fc.oneof(
    fc.record({ lat: latitude, lon: longitude }),
    fc.constantFrom(...placed.values()),
    // The other side of some.
    fc.constantFrom(...placed.values()).map(({ lat, lon }) => ({
      lat: -lat,
      lon: lon > 0 ? lon - 180 : lon + 180,
    })),
  )
  const check = async (near: { lat: number; lon: number }, magnitude: number) => {
    const within = 10 ** magnitude
    const truth = new Map([...placed].map(([key, point]) => [key, metres(near, point)]))
    const { total, hits } = await spots.search('', {
      filters: { here: { near, within } },
      sort: [{ near: 'here', ...near }],
      limit: 1000,
    })
    const sure = [...truth].filter(([, distance]) => Math.abs(distance - within) > 1e-3)
    const found = new Set(hits.map(({ key }) => key))
    expect(total).toBe(hits.length)
    for (const [key, distance] of sure) expect(found.has(key), key).toBe(distance < within)
    let before = 0
    for (const { key, distances } of hits) {
      const distance = distances?.['here'] ?? Number.NaN
      expect(Math.abs(distance - (truth.get(key) ?? Number.NaN)), key).toBeLessThan(1e-5)
      expect(distance).toBeGreaterThanOrEqual(before)
      before = distance
    }
  }
  await fc.assert(fc.asyncProperty(where, exponent, check), { numRuns: 150 })
  const { hits } = await spots.search('spot', {
    sort: [{ near: 'here', lat: 0, lon: 0, order: 'desc' }],
    limit: 1000,
  })
  expect(hits).toHaveLength(placed.size + NOWHERE.length)
  const last = hits
    .slice(-NOWHERE.length)
    .map(({ key, distances }) => [Number(key) >= 1000, distances])
  expect(last).toEqual(NOWHERE.map(() => [true, {}]))
})

test("an index of the application's on the columns is used", async () => {
  await pool.query(`create table stop (id int primary key, body text, lat numeric, lon numeric);
    insert into stop select i, 'stop', i % 180 - 90 + 0.5, i / 180 - 100 from generate_series(1, 30000) i;
    create index stop_place on stop (lat, lon);
    analyze stop`)
  const stops = new SearchIndex('stops', {
    pool,
    table: 'stop',
    key: 'id',
    fields: { body: {} },
    geo: { at: { lat: 'lat', lon: 'lon' } },
  })
  await stops.attach()
  const used = async () => {
    const { rows } = await pool.query<{ n: number }>(
      "select idx_scan::int as n from pg_stat_user_indexes where indexrelname = 'stop_place'",
    )
    return rows[0]?.n ?? 0
  }
  const before = await used()
  for (let at = 0; at < 8; at++) {
    const near = { lat: 10.5 + at, lon: 20 }
    expect((await stops.search('', { filters: { at: { near, within: 1000 } } })).total).toBe(1)
  }
  await expect.poll(used).toBeGreaterThanOrEqual(before + 8)
  await stops.close()
})

test('what is no point, distance or place is refused', async () => {
  const refused = (options: object) =>
    expect(towns.search('', options)).rejects.toMatchObject({ code: 'SEARCH_INVALID_QUERY' })
  const near = { lat: 0, lon: 0 }
  for (const place of [
    null,
    'Paris',
    [],
    [{ near, within: 1 }],
    { near },
    { within: 1 },
    { near, within: 0 },
    { near, within: -1 },
    { near, within: Number.NaN },
    { near, within: Number.POSITIVE_INFINITY },
    { near, within: '5' },
    { near: { lat: 90.1, lon: 0 }, within: 1 },
    { near: { lat: 0, lon: -180.1 }, within: 1 },
    { near: { lat: Number.NaN, lon: 0 }, within: 1 },
    { near: { lat: '0', lon: 0 }, within: 1 },
    { near: { lat: 0 }, within: 1 },
    { near: null, within: 1 },
  ]) {
    await refused({ filters: { place } })
  }
  await refused({ filters: { latitude: 1 } })
  await refused({ filters: { __proto__: null, nowhere: { near, within: 1 } } })
  for (const sort of [
    [{ near: 'latitude', lat: 0, lon: 0 }],
    [{ near: '__proto__', lat: 0, lon: 0 }],
    [{ near: 'place' }],
    [{ near: 'place', lat: 91, lon: 0 }],
    [{ near: 'place', lat: 0, lon: 0, order: 'nearest; drop' }],
    [
      { near: 'place', lat: 0, lon: 0 },
      { near: 'place', lat: 1, lon: 0 },
    ],
    'place',
    ['place'],
  ]) {
    await refused({ sort })
  }
})

test('an index refuses places whose columns or names will not do', async () => {
  const make = (geo: unknown) => () =>
    new SearchIndex('towns', { ...townOptions(), geo } as SearchIndexOptions)
  for (const geo of [
    null,
    [],
    'place',
    { place: null },
    { place: { lat: 'latitude' } },
    { place: { lat: 'latitude', lon: 7 } },
    { '': { lat: 'latitude', lon: 'longitude' } },
    { $and: { lat: 'latitude', lon: 'longitude' } },
    { country: { lat: 'latitude', lon: 'longitude' } },
  ]) {
    expect(make(geo)).toThrow(expect.objectContaining({ code: 'SEARCH_INVALID_OPTION' }))
  }
  const attach = (lat: string) => make({ place: { lat, lon: 'longitude' } })().attach()
  await expect(attach('altitude')).rejects.toMatchObject({ code: 'SEARCH_UNKNOWN_COLUMN' })
  await expect(attach('about')).rejects.toMatchObject({ code: 'SEARCH_INVALID_OPTION' })
  // A name is only a name.
  const odd = make({ [`a'b"$1`]: { lat: 'latitude', lon: 'longitude' } })()
  const [hit] = (await odd.search('', { filters: { [`a'b"$1`]: { near: PARIS, within: 1 } } })).hits
  expect(hit?.distances).toEqual({ [`a'b"$1`]: 0 })
  await odd.close()
})
