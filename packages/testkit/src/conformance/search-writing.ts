import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import type { SearchIt, SearchSubject } from './search-index.js'
import { attached, DEFINITION, found, insert, keys, NAME, OFFERS } from './search-table.js'

/** What writes do to what is found. */
export function declareWriting(it: SearchIt): void {
  it('shows a writer its own writes, and nobody else before the commit', async (subject) => {
    const index = await attached(subject)
    // Reads what it has to know of the index: where there is one connection, the transaction has it.
    assert.equal((await index.search('sixth')).total, 0)
    await subject.transaction(async (client) => {
      await run(client, `insert into conformance_offer values (6, 'Sixth')`)
      await run(client, `update conformance_offer set title = 'Sandals' where id = 2`)
      await run(client, 'delete from conformance_offer where id = 4')
      assert.deepEqual(await found(index, 'sixth sandals streaming', { client }), ['2', '6'])
      assert.deepEqual(await found(index, 'sixth', { client, mode: 'all' }), ['6'])
      if (!subject.concurrent) return
      assert.deepEqual(await found(index, 'sixth sandals streaming'), ['4'])
    })
    assert.deepEqual(await found(index, 'sixth sandals streaming'), ['2', '6'])
  })

  it('forgets what is rolled back, also to a savepoint', async (subject) => {
    const index = await attached(subject)
    await assert.rejects(
      subject.transaction(async (client) => {
        await run(client, `insert into conformance_offer values (6, 'Sixth')`)
        await run(client, 'delete from conformance_offer where id = 2')
        throw new Error('roll back')
      }),
      /roll back/,
    )
    await subject.transaction(async (client) => {
      await run(client, `insert into conformance_offer values (7, 'Seventh')`)
      await run(client, 'savepoint here')
      await run(client, `insert into conformance_offer values (8, 'Eighth')`)
      await run(client, 'rollback to savepoint here')
    })
    assert.deepEqual(await found(index, 'sixth seventh eighth shoes'), ['2', '7'])
  })

  it('follows updates, deletes, upserts, changed keys and truncation', async (subject) => {
    const index = await attached(subject)
    await subject.query(`update conformance_offer set body = 'Boots' where id = 2`)
    await subject.query(`insert into conformance_offer (id, title) values (1, 'Opera'), (6, 'Opera')
      on conflict (id) do update set title = excluded.title, body = null`)
    await subject.query('update conformance_offer set id = 50 where id = 5')
    await subject.query('delete from conformance_offer where id = 4')
    assert.deepEqual(await found(index, 'boots opera student streaming music'), [
      '1',
      '2',
      '3',
      '50',
      '6',
    ])
    assert.deepEqual(await found(index, 'trial'), [])
    await subject.query('truncate conformance_offer')
    assert.equal((await index.search('music')).total, 0)
    assert.equal((await index.search('')).total, 0)
    await insert(subject, OFFERS)
    assert.deepEqual(await found(index, 'music'), ['1', '3'])
    assert.equal((await index.stats()).documents, 5)
    assert.deepEqual((await index.stats()).errors, [])
  })

  it('indexes what the triggers of the application make of a row', async (subject) => {
    const index = await attached(subject)
    await subject.query(`create or replace function conformance_rename() returns trigger
      language plpgsql as 'begin new.title := ''renamed''; return new; end'`)
    await subject.query(`create trigger zz before insert or update on conformance_offer
      for each row execute function conformance_rename()`)
    await insert(subject, [{ id: 6, title: 'Sixth', body: null }])
    await subject.query('update conformance_offer set price = 5 where id = 2')
    assert.deepEqual(await found(index, 'renamed'), ['2', '6'])
    assert.deepEqual(await found(index, 'sixth running', { fuzzy: false }), [])
    await subject.query('drop table conformance_offer')
    await subject.query('drop function conformance_rename')
  })

  it('fails no write, however long or odd the text', async (subject) => {
    const index = await attached(subject, [])
    const huge = Array.from({ length: 120_000 }, (_, n) => `x${n.toString(36)}y`).join(' ')
    await subject.query('insert into conformance_offer (id, title, body) values (1, $1, $2)', [
      'needle',
      huge,
    ])
    await subject.query(`insert into conformance_offer (id, body) values
      (2, repeat('y', 3000000)), (3, null), (4, ''), (5, E'\\x01 \\\\ '' \\x1f')`)
    await subject.query(`insert into conformance_offer (id, body) values (6, 'last')`)
    await subject.query('update conformance_offer set body = $1 where id = 6', [`last ${huge}`])
    assert.deepEqual(await found(index, 'needle'), ['1'])
    assert.deepEqual(await found(index, 'last'), ['6'])
    const { documents, partial, errors } = await index.stats()
    assert.equal(documents, 6)
    assert.deepEqual(errors, [])
    if (subject.capabilities.has('partial')) {
      assert.deepEqual(
        partial.map(({ key }) => key),
        ['1', '6'],
      )
    }
    if (!subject.capabilities.has('rebuild')) return
    await index.rebuild()
    assert.deepEqual(await found(index, 'needle last'), ['1', '6'])
  })

  it('lets a role write that has no rights but on the table', async (subject) => {
    const index = await attached(subject)
    // Roles are the server's, on which another suite may run.
    const role = `conformance_${randomUUID().slice(0, 8)}`
    await subject.query(`create role ${role}`)
    try {
      await subject.query(`grant all on conformance_offer to ${role}`)
      await subject.transaction(async (client) => {
        await run(client, `set local role ${role}`)
        await run(client, `insert into conformance_offer values (6, 'Sixth')`)
        await run(client, `update conformance_offer set title = 'Sandals' where id = 2`)
      })
      assert.deepEqual(await found(index, 'sixth sandals'), ['2', '6'])
    } finally {
      await subject.query(`drop owned by ${role}`)
      await subject.query(`drop role ${role}`)
    }
  })

  it('goes on for writers of many connections at once', async (subject) => {
    const index = await attached(subject)
    await Promise.all(
      Array.from({ length: 40 }, (_, n) =>
        subject.query('insert into conformance_offer (id, title) values ($1, $2)', [
          100 + n,
          `crowd n${n}`,
        ]),
      ),
    )
    assert.equal((await index.search('crowd')).total, 40)
    const other = subject.index(NAME, DEFINITION, 2)
    assert.deepEqual(await keys(other, 'n17'), ['117'])
  })
}

function run(client: Parameters<Parameters<SearchSubject['transaction']>[0]>[0], text: string) {
  return client.query({ text })
}
