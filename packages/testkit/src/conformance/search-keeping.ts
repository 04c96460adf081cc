import assert from 'node:assert/strict'
import type { SearchIt } from './search-index.js'
import { attached, DEFINITION, found, fresh, NAME, OFFERS } from './search-table.js'

/** Making, replacing and removing an index. */
export function declareKeeping(it: SearchIt): void {
  it('is made once, however many make it', async (subject) => {
    await fresh(subject, OFFERS)
    const indexes = ([1, 2, 1, 2] as const).map((process) =>
      subject.index(NAME, DEFINITION, process),
    )
    await Promise.all(indexes.map((index) => index.attach()))
    const left = await subject.leftovers()
    await indexes[0]?.attach()
    assert.deepEqual(await subject.leftovers(), left)
    for (const index of indexes) assert.deepEqual(await found(index, 'music'), ['1', '3'])
  })

  it('is built anew beside the old one, also for a process that knows the old one', async (subject) => {
    const index = await attached(subject)
    const other = subject.index(NAME, DEFINITION, 2)
    assert.deepEqual(await found(other, 'music'), ['1', '3'])
    if (!subject.capabilities.has('rebuild')) {
      await assert.rejects(index.rebuild(), { code: 'SEARCH_UNSUPPORTED' })
      assert.deepEqual(await found(index, 'music'), ['1', '3'])
      return
    }
    await index.rebuild()
    for (const one of [index, other]) {
      assert.deepEqual(await found(one, 'music'), ['1', '3'])
      const [hit] = (await one.search('shoes')).hits
      assert.deepEqual(Object.keys(hit?.row as object).sort(), [
        'body',
        'category',
        'id',
        'price',
        'tags',
        'title',
      ])
    }
  })

  it('refuses other fields until it is built anew', async (subject) => {
    const index = await attached(subject)
    const changed = subject.index(NAME, { ...DEFINITION, fields: { body: {} } })
    const error = { code: 'SEARCH_DEFINITION_CHANGED' }
    await assert.rejects(changed.attach(), error)
    await assert.rejects(changed.search('x'), error)
    if (!subject.capabilities.has('rebuild')) await index.detach()
    await (subject.capabilities.has('rebuild') ? changed.rebuild() : changed.attach())
    assert.deepEqual(await found(changed, 'music running'), ['1', '3'])
    await assert.rejects(index.search('x'), error)
  })

  it('leaves nothing behind when it is removed, and the table as it was', async (subject) => {
    await fresh(subject, OFFERS)
    const before = await subject.leftovers()
    const columns = () =>
      subject.query(`select attname::text as name from pg_attribute
        where attrelid = 'conformance_offer'::regclass and attnum > 0 and not attisdropped order by attnum`)
    const known = await columns()
    const index = subject.index(NAME, DEFINITION)
    await index.attach()
    await index.maintain()
    await index.detach()
    assert.deepEqual(await subject.leftovers(), before)
    assert.deepEqual(await columns(), known)
    await assert.rejects(index.search('music'), { code: 'SEARCH_NOT_ATTACHED' })
    await index.detach()
    await index.attach()
    await subject.query('drop table conformance_offer')
    await index.detach()
    assert.deepEqual(await subject.leftovers(), before)
  })

  it('is mended where the table was made anew', async (subject) => {
    const index = await attached(subject)
    await subject.query('drop table conformance_offer')
    await subject.query(`create table conformance_offer (
      id bigint primary key, title text, body text, category text, tags text[], price int)`)
    await subject.query(`insert into conformance_offer values (9, 'Ninth')`)
    if (!subject.capabilities.has('rebuild')) await index.detach()
    await index.attach()
    assert.deepEqual(await found(index, 'music ninth'), ['9'])
  })

  it('lives on tables, columns and keys of any name', async (subject) => {
    const schema = `we "ird" $1 .${'s'.repeat(20)}`
    const name = `it's; -- %I "${'t'.repeat(30)}`
    const fields = ['Ti"tle', 'select', '__proto__', "bo'dy \\ $$"]
    const quoted = (one: string) => `"${one.replaceAll('"', '""')}"`
    const table = `${quoted(schema)}.${quoted(name)}`
    await subject.query(`drop schema if exists ${quoted(schema)} cascade`)
    await subject.query(`create schema ${quoted(schema)}`)
    await subject.query(`create table ${table} ("k""ey" text primary key,
      ${fields.map((field) => `${quoted(field)} text`).join(', ')})`)
    const key = `k'ey \\ "of" {a,b} %s`
    const index = subject.index(`in"dex ; -- ' ☃`, {
      table: { schema, name },
      key: 'k"ey',
      fields: Object.fromEntries(fields.map((field) => [field, {}])),
    })
    await index.attach()
    await subject.query(`insert into ${table} values ($1, 'one', 'two', 'three', 'four')`, [key])
    for (const word of ['one', 'two', 'three', 'four', 'select:two', '"four"']) {
      assert.deepEqual(await found(index, word), [key])
    }
    await subject.query(`update ${table} set "select" = 'five'`)
    assert.deepEqual(await found(index, 'two five', { mode: 'any' }), [key])
    assert.deepEqual(await found(index, 'two'), [])
    await index.detach()
    await subject.query(`drop schema ${quoted(schema)} cascade`)
  })

  it('knows fields of other types than text, or refuses them before it makes anything', async (subject) => {
    const definition = {
      table: 'conformance_types',
      key: 'id',
      fields: { day: {}, amount: {}, words: {}, mood: {} },
    }
    const index = subject.index('conformance_types', definition)
    await index.detach()
    await subject.query('drop table if exists conformance_types')
    await subject.query('drop type if exists conformance_mood')
    await subject.query(`create type conformance_mood as enum ('glad', 'sad')`)
    await subject.query(`create table conformance_types (
      id uuid primary key, day timestamptz, amount numeric, words text[], mood conformance_mood)`)
    const id = '00000000-0000-4000-8000-00000000000a'
    await subject.query(
      `insert into conformance_types values ($1, '2026-05-04 12:00+02', 77.5, '{lamp,table}', 'glad')`,
      [id],
    )
    if (subject.capabilities.has('anyType')) {
      await index.attach()
      assert.deepEqual(await found(index, 'glad', { fuzzy: false }), [id])
      await index.detach()
    } else {
      const left = await subject.leftovers()
      await assert.rejects(index.attach(), { code: 'SEARCH_UNSUPPORTED' })
      assert.deepEqual(await subject.leftovers(), left)
    }
    const { mood: _, ...fields } = definition.fields
    const fewer = subject.index('conformance_types', { ...definition, fields })
    await fewer.attach()
    for (const word of ['lamp', '77.5', '2026-05-04']) {
      assert.deepEqual(await found(fewer, word, { fuzzy: false }), [id], word)
    }
    await fewer.detach()
    await subject.query('drop table conformance_types')
    await subject.query('drop type conformance_mood')
  })
}
