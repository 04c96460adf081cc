import { expect, test } from 'vitest'
import { Bench, eventually } from './support.js'

const bench = new Bench().use()

async function subscribed(name: string) {
  const { pubsub, pool } = bench.process()
  const heard: unknown[] = []
  await pubsub.channel(name).subscribe((message) => heard.push(message))
  return { heard, pool }
}

test('publish() in SQL is heard when its transaction commits, equal messages each on their own', async () => {
  const name = bench.name()
  const { heard, pool } = await subscribed(name)
  const client = await pool.connect()
  const publish = (message: unknown) =>
    client.query('select howdah.publish($1, $2)', [name, JSON.stringify(message)])
  await client.query('begin')
  await publish('rolled back')
  await client.query('rollback')
  await client.query('begin')
  await publish('same')
  await publish('same')
  await client.query('savepoint s')
  await publish('undone')
  await client.query('rollback to s')
  await publish({ id: 7, deep: [null, 'é'] })
  expect(heard).toEqual([])
  await client.query('commit')
  client.release()
  await eventually(() => heard).toEqual(['same', 'same', { id: 7, deep: [null, 'é'] }])
})

test('it takes messages of any size, and names as long as they may be, in order', async () => {
  for (const name of [bench.name(), '€'.repeat(20_000), `'"\\ $1 __proto__ ${'n'.repeat(8_000)}`]) {
    const { heard, pool } = await subscribed(name)
    const sent = [
      'a',
      'é'.repeat(7_990),
      '😀'.repeat(100_000),
      'x'.repeat(1_500_000),
      'b',
      '\n'.repeat(600_000),
    ]
    for (const message of sent) {
      await pool.query('select howdah.publish($1, $2)', [name, JSON.stringify(message)])
    }
    await eventually(() => heard.length).toBe(sent.length)
    for (const [at, message] of sent.entries()) expect(heard[at] === message).toBe(true)
  }
})

test('every size around that of a notification comes through whole', async () => {
  const name = bench.name()
  const { heard, pool } = await subscribed(name)
  const sent = Array.from({ length: 60 }, (_, n) => `${'x'.repeat(n % 3)}${'é'.repeat(3_930 + n)}`)
  await pool.query('select howdah.publish($1, to_jsonb(m)) from unnest($2::text[]) m', [name, sent])
  await eventually(() => heard.length).toBe(sent.length)
  expect(heard).toEqual(sent)
})

test('a trigger publishes rows', async () => {
  const name = bench.name()
  const { heard, pool } = await subscribed(name)
  await pool.query(`
    create table orders (id int primary key, cents int);
    create function tell() returns trigger language plpgsql as $$
    begin perform howdah.publish('${name}', to_jsonb(new)); return null; end $$;
    create trigger tell after insert on orders for each row execute function tell();
    insert into orders values (1, 500), (2, 700)`)
  await eventually(() => heard).toEqual([
    { id: 1, cents: 500 },
    { id: 2, cents: 700 },
  ])
})

test('it refuses what is no message or no name, and describes itself', async () => {
  const { pool } = await subscribed(bench.name())
  const refused = (channel: string | null, message: string | null) =>
    expect(pool.query('select howdah.publish($1, $2)', [channel, message])).rejects.toMatchObject({
      code: '22023',
    })
  await refused(null, '1')
  await refused('', '1')
  await refused('x'.repeat(65_537), '1')
  await refused('x', null)
  const { rows } = await pool.query(
    `select obj_description('howdah.publish(text, jsonb)'::regprocedure) as comment`,
  )
  expect(rows[0].comment).toContain('commits')
})
