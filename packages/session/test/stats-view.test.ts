import { expect, test } from 'vitest'
import { Bench } from './support.js'

const bench = new Bench()
const viewed = () => bench.rows('select * from howdah.session_stats order by name')

test('session_stats has a row for each name, however odd, and none where there is no session', async () => {
  expect(await viewed()).toEqual([])
  const names = ['__proto__', `a'; drop table x`, 'default']
  for (const name of names) {
    const sessions = bench.sessions({ name, ttl: '1h' })
    await sessions.create({ userId: '42' })
    await sessions.create({})
  }
  await bench.age(120)
  await bench.sessions().create({ userId: '7' })
  const row = { sessions: '0', expired: '2', of_users: '0', estimated: false }
  expect(await viewed()).toEqual([
    { ...row, name: '__proto__' },
    { ...row, name: `a'; drop table x` },
    { ...row, name: 'default', sessions: '1', of_users: '1' },
  ])
})

test('session_stats estimates a large table, says so, and counts the names that are few in it', async () => {
  await bench.sessions({ name: 'admin' }).create({})
  await bench.pool.query(
    `insert into howdah.session (name, id_hash, version, expires_hour, created_at, seen_at, expires_at, data, user_id)
     select 'shop', sha256(i::text::bytea), 1, 1000000, now(), now(), now() + case when i % 4 = 0 then -1 else 1 end * interval '1 day',
       repeat('x', 300), case when i % 2 = 0 then 'u' || i end
     from generate_series(1, 60000) i`,
  )
  const [admin, shop] = await viewed()
  expect(admin).toMatchObject({ name: 'admin', sessions: '1', estimated: false })
  expect(shop).toMatchObject({ name: 'shop', estimated: true })
  for (const [column, truth] of Object.entries({
    sessions: 45_000,
    expired: 15_000,
    of_users: 15_000,
  })) {
    expect(Number(shop?.[column]) / truth, column).toBeGreaterThan(0.75)
    expect(Number(shop?.[column]) / truth, column).toBeLessThan(1.25)
  }
})

test('session_stats can be read by who may read nothing else', async () => {
  await bench.sessions().create({ secret: 1 })
  const client = await bench.database.adminPool().connect()
  try {
    await client.query('begin')
    await client.query(`create role session_watcher; grant usage on schema howdah to session_watcher;
      grant select on howdah.session_stats to session_watcher; set local role session_watcher`)
    const { rows } = await client.query('select sessions from howdah.session_stats')
    expect(rows).toEqual([{ sessions: '1' }])
    await expect(client.query('select data from howdah.session')).rejects.toMatchObject({
      code: '42501',
    })
  } finally {
    await client.query('rollback')
    client.release()
  }
})
