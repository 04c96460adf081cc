import { type TestDatabase, testDatabase } from '@howdah/testkit'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Database } from '../src/index.js'
import { libraries } from './clients/libraries.js'
import { eventually, Recorder } from './hub-support.js'

const schema = 'we "ird ?\\? :name $1 --'

let database: TestDatabase

beforeAll(async () => {
  database = await testDatabase()
}, 120_000)
afterAll(() => database.close())

test.each(Object.keys(libraries))(
  'a send on a transaction of %s goes out with its commit, whole and hostile as it is',
  async (name) => {
    const library = await libraries[name]?.(database.url)
    if (library === undefined) throw new Error('no such library')
    const db = Database.from(library.source, { schema })
    const recorder = new Recorder()
    await db.hub.register('k', recorder)
    await db.hub.send('k', '', 'makes the tables')
    const payloads = [`'";\\ --{},? $1 :x é 🐘`, '€'.repeat(10_000), { $n: [1, null] }]
    const failed = library.transaction(async (client) => {
      await db.hub.send('k', 'n', 'rolled back', { client })
      throw new Error('no')
    })
    await expect(failed).rejects.toThrow('no')
    await library.transaction(async (client) => {
      for (const payload of payloads) await db.hub.send('k', 'n', payload, { client })
    })
    await eventually(() => recorder.payloads).toEqual(['makes the tables', ...payloads])
    await db.close()
    await library.close()
  },
  120_000,
)
