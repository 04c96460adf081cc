import { HowdahError } from '@howdah/core'
import { Sessions } from '@howdah/session'
import { startPostgres } from '@howdah/testkit'
import { Pool } from 'pg'
import { expect, test } from 'vitest'
import type { Anything } from './support.js'

test('what was acknowledged outlives a crash of the server, and what was ended stays ended', async () => {
  await using server = await startPostgres()
  const pool = new Pool({ connectionString: server.url, max: 5 })
  pool.on('error', () => {})
  const sessions = new Sessions<Anything>({ pool, pruneInterval: false })
  const made = await Promise.all(
    Array.from({ length: 50 }, (_, n) => sessions.create({ n, saves: 0 })),
  )
  const saved = new Map<string, number>()
  const ended = new Set<string>()
  const failures: unknown[] = []
  let crashed = false
  let turns = 0
  const work = made.map(async (session, n) => {
    while (!crashed) {
      turns++
      try {
        if (n % 10 === 9 && (saved.get(session.id) ?? 0) > 3) {
          await sessions.destroy(session.id)
          ended.add(session.id)
          return
        }
        session.data['saves'] = (saved.get(session.id) ?? 0) + 1
        await sessions.save(session)
        saved.set(session.id, session.data['saves'])
      } catch (error) {
        failures.push(error)
        return
      }
    }
  })
  await expect.poll(() => turns > 1000 && ended.size === 5).toBe(true)
  await server.kill()
  crashed = true
  await Promise.all(work)
  // Whoever asks now is told, and not that there is no session.
  const during = await sessions.load(made[0]?.id ?? '').catch((error) => error)
  expect(during).toBeInstanceOf(Error)
  expect(during).not.toBeInstanceOf(HowdahError)
  await server.restart()
  for (const session of made) {
    const found = await sessions.load(session.id)
    if (ended.has(session.id)) expect(found).toBeUndefined()
    else {
      // The save under way at the crash may count or not.
      const least = saved.get(session.id) ?? 0
      expect([least, least + 1]).toContain(found?.data['saves'])
    }
  }
  await sessions.close()
  await pool.end()
})
