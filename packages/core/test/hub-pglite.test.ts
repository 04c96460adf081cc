import { PGlite } from '@electric-sql/pglite'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Database } from '../src/index.js'
import { eventually, leavesNothingOpen, Recorder } from './hub-support.js'

let pglite: PGlite

beforeAll(async () => {
  pglite = await PGlite.create()
})
afterAll(() => pglite.close())

test('over PGlite messages reach every handler of the process, of any size, in order', async () => {
  const db = Database.from(pglite, { schema: 'we "ird' })
  const errors: unknown[] = []
  db.hub.on('error', (error) => errors.push(error))
  const [one, two] = [new Recorder(), new Recorder()]
  await db.hub.register('k', one)
  await db.hub.register('k', two)
  expect(db.hub.state).toBe('listening')
  const payloads = ['', 'x', 'é'.repeat(30_000), 'x']
  for (const payload of payloads) await db.hub.send('k', 'n', payload)
  await db.transaction(async (tx) => {
    await db.hub.send('k', 'n', 'in a transaction', { client: tx })
  })
  db.hub.ring('k', 'bell')
  await eventually(() => one.payloads).toEqual([...payloads, 'in a transaction', undefined])
  expect(two.log).toEqual(one.log)
  expect(errors).toEqual([])
  await db.close()
  expect((await pglite.query('select pg_listening_channels()')).rows).toEqual([])
})

test('over PGlite a hub may come and go, or poll, and leaves nothing open', async () => {
  await leavesNothingOpen(async () => {
    for (const listen of [undefined, undefined, false] as const) {
      const db = Database.from(pglite, { listen, hub: { pollInterval: '20ms' } })
      const recorder = new Recorder()
      const unregister = await db.hub.register('k', recorder)
      await db.hub.send('k', 'n', 1)
      await eventually(() => recorder.payloads).toEqual([1])
      await unregister()
      await db.hub.register('k', recorder)
      await db.hub.send('k', 'n', 2)
      await eventually(() => recorder.payloads).toEqual([1, 2])
      expect(db.hub.state).toBe(listen === false ? 'polling' : 'listening')
      await db.close()
    }
  })
})
