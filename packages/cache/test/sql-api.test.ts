import fc from 'fast-check'
import type pg from 'pg'
import { describe, expect, onTestFinished, test } from 'vitest'
import { storedKey } from '../src/key.js'
import { exercise } from './exercise.js'
import { Bench } from './support.js'

const bench = new Bench()
const get = async (namespace: string, key: string) => {
  const [row] = await bench.rows<{ value: unknown }>('select howdah.cache_get($1, $2) as value', [
    namespace,
    key,
  ])
  return row?.value
}

describe('the SQL functions', () => {
  test('read and write what TypeScript does', async () => {
    const cache = bench.cache()
    await cache.has('opened')
    const { name } = cache
    for (const value of [{ a: [1, null, 'x'] }, 'text', 7.5, true, null, [], '☃']) {
      await bench.pool.query('select howdah.cache_set($1, $2, $3::jsonb)', [
        name,
        'k',
        JSON.stringify(value),
      ])
      expect(await cache.get('k')).toEqual(value)
      expect(await cache.has('k')).toBe(true)
      expect(await get(name, 'k')).toEqual(value)
      await cache.set('k', value)
      expect(await get(name, 'k')).toEqual(value)
    }
    await bench.pool.query(`select howdah.cache_set($1, 'k', null)`, [name])
    expect(await cache.entry('k')).toMatchObject({ value: null })
    await bench.pool.query(`select howdah.cache_set($1, 'n', '41', interval '5 minutes')`, [name])
    expect(await cache.increment('n')).toBe(42)
    expect(await cache.ttl('n')).toBeGreaterThan(200_000)
    expect(await get(name, 'n')).toBe(42)
    const others: [unknown, unknown][] = [
      [new Date(86_400_000), '1970-01-02T00:00:00+00:00'],
      [12n, 12],
      [Buffer.from('bytes'), Buffer.from('bytes').toString('base64')],
      [NaN, null],
      [undefined, null],
    ]
    await bench.pool.query(`alter role current_user set timezone = 'UTC'`)
    for (const [value, json] of others) {
      await cache.set('k', value)
      const found = await get(name, 'k')
      if (value instanceof Date) expect(new Date(found as string)).toEqual(value)
      else expect(found).toEqual(json)
    }
  })

  test('delete, invalidate and clear', async () => {
    const cache = bench.cache({ durability: 'logged' })
    await cache.setMany([
      ['a', 1, { tags: ['t'] }],
      ['b', 1, { tags: ['u'] }],
      ['c', 1],
    ])
    const { name } = cache
    expect(await bench.rows(`select howdah.cache_delete($1, 'c') as it`, [name])).toEqual([
      { it: true },
    ])
    expect(await bench.rows(`select howdah.cache_delete($1, 'c') as it`, [name])).toEqual([
      { it: false },
    ])
    await bench.pool.query(`select howdah.cache_invalidate_tags($1, 't', 'x')`, [name])
    expect([...(await cache.getMany(['a', 'b', 'c'])).keys()]).toEqual(['b'])
    await bench.pool.query(`select howdah.cache_set($1, 'd', '1', null, array['t'])`, [name])
    expect(await cache.get('d')).toBe(1)
    await cache.invalidateTags(['t'])
    expect(await get(name, 'd')).toBeNull()
    await bench.pool.query(`select howdah.cache_clear($1)`, [name])
    expect(await cache.get('b')).toBeUndefined()
    await bench.pool.query(`select howdah.cache_clear('no such namespace')`)
    await expect(
      bench.pool.query(`select howdah.cache_set($1, 'k', '1', interval '0')`, [name]),
    ).rejects.toMatchObject({ code: '22023' })
  })

  test('find the same entry under keys of any length', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.oneof(
            fc.string({ unit: 'grapheme', maxLength: 700 }),
            fc.nat({ max: 600 }).map((n) => 'é'.repeat(n)),
            fc.constantFrom('', '#', '##', '#x', 'x'.repeat(512), 'x'.repeat(513)),
          ),
        ),
        async (keys) => {
          const sayable = keys.filter((key) => !key.includes('\0') && !/\p{Surrogate}/u.test(key))
          const rows = await bench.rows<{ key: string }>(
            'select howdah.cache_key(k) as key from unnest($1::text[]) with ordinality as u(k, n) order by n',
            [sayable],
          )
          expect(rows.map(({ key }) => key)).toEqual(sayable.map(storedKey))
        },
      ),
      { numRuns: 30 },
    )
    const cache = bench.cache()
    const key = 'long '.repeat(200)
    await cache.has(key)
    await bench.pool.query(`select howdah.cache_set($1, $2, '"long"')`, [cache.name, key])
    expect(await cache.get(key)).toBe('long')
    for await (const listed of cache.keys()) expect(listed).toBe(key)
  })

  test('keep a cache true from a trigger, with the transaction', async () => {
    const cache = bench.cache({ namespace: 'products' })
    await bench.pool.query(`create table product (id int primary key, cents int)`)
    await bench.pool.query(`create function forget_product() returns trigger language plpgsql as $$
      begin
        perform howdah.cache_delete('products', old.id::text);
        perform howdah.cache_invalidate_tags('products', 'all');
        return null;
      end $$`)
    await bench.pool.query(`create trigger forget after update or delete on product
      for each row execute function forget_product()`)
    await bench.pool.query('insert into product values (7, 100), (8, 100)')
    await cache.setMany([
      ['7', 100],
      ['list', [100], { tags: ['all'] }],
    ])
    const client = await bench.begin()
    await client.query('update product set cents = 200 where id = 7')
    expect(await cache.get('7')).toBe(100)
    await client.query('rollback')
    expect(await cache.get('list')).toEqual([100])
    await bench.pool.query('update product set cents = 200 where id = 7')
    expect([...(await cache.getMany(['7', 'list']))]).toEqual([])
  })

  test('leave direct writes watched for the rest of a transaction', async () => {
    const client = await bench.begin()
    const watched = async () => {
      const { rows } = await client.query(
        `select current_setting('howdah.cache_write', true) as it`,
      )
      return rows[0].it !== 'on'
    }
    const name = bench.fresh()
    const calls = [
      `cache_delete('${name}', 'k')`,
      `cache_set('${name}', 'k', '1')`,
      `cache_get('${name}', 'k')`,
      `cache_delete('${name}', 'k')`,
      `cache_invalidate_tags('${name}', 't')`,
      `cache_lease('${name}', array['k'], 1000)`,
      `cache_fill('${name}', array['k'], array[0], array['1:1:'], array['s'], array[null::float8])`,
      `cache_release('${name}', array['k'], array[0])`,
      `cache_renew('${name}', array['k'], array[0], 1)`,
      `cache_evict('${name}', 0, 0)`,
      `cache_evict('${name}x', 0, 0)`,
      `cache_sweep()`,
      `cache_clear('${name}')`,
      `cache_touch('${name}', array['k'], array[1.0])`,
      `cache_slide('${name}', array['k'])`,
      `cache_seen('${name}', array['k'])`,
      `cache_replace('${name}', array['k'], array['s'], array[1.0])`,
      `cache_swap('${name}', array['k'], array['s'], array[1.0], array[1])`,
      `cache_add('${name}', array['k'], array['s'], array[1.0])`,
      `cache_count('${name}', array['c'], array[1], array[1.0], array[null])`,
    ]
    for (const call of calls) {
      await client.query(`select howdah.${call}`)
      expect([call, await watched()]).toEqual([call, true])
    }
  })
})

/** What a role needs to use caches, as docs/cache.md lists it. */
const GRANTS = [
  'grant execute on all routines in schema howdah to $role',
  'grant usage on schema howdah to $role',
  'grant select on howdah.migration to $role',
  'grant select, insert, update, delete on howdah.cache_entry, howdah.cache_entry_logged, howdah.cache_tag, howdah.cache_garbage to $role',
  'grant select, insert, update on howdah.cache_namespace to $role',
  'grant usage on sequence howdah.cache_version, howdah.cache_namespace_id to $role',
  'grant insert on howdah.hub_message to $role',
  'grant select on sequence howdah.hub_polled_until to $role',
]

async function roleWith(grants: readonly string[]): Promise<pg.Pool> {
  const role = `cache_${bench.database.name}_${bench.fresh()}`
  await bench.cache().has('migrated')
  const admin = bench.database.adminPool()
  await admin.query(`create role ${role}`)
  onTestFinished(async () => {
    await admin.query(`drop owned by ${role}`)
    await admin.query(`drop role ${role}`)
  })
  for (const grant of grants) await admin.query(grant.replace('$role', role))
  const pool = bench.database.adminPool({ options: `-c role=${role}` })
  onTestFinished(() => pool.end())
  return pool
}

/** Operators and functions that fit our calls better than those of the server, had we let it choose. */
const TRAP = `do $do$
declare
  l text; r text; o text; result text;
  types text[] := array['numeric', 'int', 'bigint', 'float8', 'text', 'interval', 'timestamptz', 'text[]', 'bigint[]', 'jsonb', 'xid8', 'bytea'];
begin
  foreach l in array types loop foreach r in array types loop
    execute format('create function public.trap_bool(%s, %s) returns boolean language plpgsql as $$ begin raise exception ''hijacked''; end $$', l, r);
    execute format('create function public.trap_same(%s, %s) returns %s language plpgsql as $$ begin raise exception ''hijacked''; end $$', l, r, l);
    foreach o in array array['+', '-', '*', '/', '<', '>', '<=', '>=', '=', '<>', '||', '->', '->>', '~'] loop
      result := case when o in ('<', '>', '<=', '>=', '=', '<>', '~') then 'bool' else 'same' end;
      execute format('create operator public.%s (leftarg = %s, rightarg = %s, function = public.trap_%s)', o, l, r, result);
    end loop;
  end loop; end loop;
  foreach l in array array['array_to_string(text[], text)', 'cardinality(float8[])', 'cardinality(text[])', 'unnest(text[])', 'unnest(float8[])',
    'unnest(bigint[])', 'to_jsonb(text[])', 'to_jsonb(text)', 'to_json(text)', 'greatest(numeric)', 'floor(int)', 'json_build_array(text, text)',
    'json_build_array(text, text, jsonb)', 'json_build_array(int, text, int, json)', 'format(text, text, text)', 'octet_length(jsonb)',
    'abs(text)', 'substr(text, text)', 'encode(text, text)', 'cache_get(text, text)', 'hub_send(text, text[])'] loop
    execute format('create function public.%s returns text language plpgsql as $$ begin raise exception ''hijacked''; end $$', l);
  end loop;
end $do$`

describe('a role of its own', () => {
  test('needs no more than these grants', async () => {
    const pool = await roleWith(GRANTS)
    await exercise(bench.cache({ pool, ttl: '1h' }))
    await exercise(bench.cache({ pool, durability: 'logged', maxEntries: 100 }))
    await pool.query(`select howdah.cache_set('mine', 'k', '1')`)
    await pool.query(`select howdah.cache_sweep()`)
    await pool.query(`select howdah.cache_clear('mine')`)
  })

  test('without them it is refused', async () => {
    const pool = await roleWith(GRANTS.slice(0, 3))
    await expect(pool.query(`select howdah.cache_set('n', 'k', '1')`)).rejects.toMatchObject({
      code: '42501',
    })
  })
})

test('what others put into public is not called in our place', async () => {
  await bench.pool.query(TRAP)
  await exercise(bench.cache({ ttl: '1h', sliding: true }))
  await exercise(bench.cache({ maxEntries: 1000, durability: 'logged' }))
  const name = bench.fresh()
  await bench.pool.query(`select howdah.cache_set($1, 'k', '1', '5m', array['t'])`, [name])
  await bench.pool.query(`select howdah.cache_get($1, 'k')`, [name])
  await bench.pool.query(`select howdah.cache_invalidate_tags($1, 't')`, [name])
  await bench.pool.query(`select howdah.cache_delete($1, 'k')`, [name])
  await bench.pool.query(`select howdah.cache_clear($1)`, [name])
  await bench.pool.query(`select howdah.cache_sweep()`)
})
