import { type TestDatabase, testDatabase } from '@howdah/testkit'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Board, openBoard } from '../src/board.js'
import type { BoardEvent } from '../src/domain/events.js'
import { hotLists } from '../src/domain/hot-lists.js'
import { newestOffers, offerById } from '../src/domain/offers.js'
import { publishOffer } from '../src/domain/publishing.js'
import { searchOffers } from '../src/domain/search.js'
import { seedOffers } from '../src/seed/offers.js'

const DRAFT = {
  title: 'Two kettles for one',
  body: 'Bring a friend who drinks tea.',
  institution: 'Teapot Telecom',
  category: 'Mobile plan',
  bonus: 20,
  runsFor: 1,
}

let database: TestDatabase
let board: Board
const events: BoardEvent[] = []

beforeAll(async () => {
  database = await testDatabase()
  board = await openBoard(database.pool())
  await board.events.subscribe((event) => events.push(event))
})

afterAll(async () => {
  await board?.close()
  await database?.close()
})

function search(text: string) {
  const filters = { category: [], institution: [], status: [] }
  return searchOffers(board, { text, filters, sort: 'best', page: 1 })
}

test('the seed is the same each time, varied, and of more than 2,000 offers', async () => {
  expect(seedOffers(50)).toEqual(seedOffers(50))
  const { total, facets } = await search('')
  expect(total).toBe(2400)
  expect(facets.category).toHaveLength(8)
  expect(facets.institution).toHaveLength(24)
  expect(facets.status).toHaveLength(2)
  expect(new Set(seedOffers(2400).map(({ title }) => title)).size).toBeGreaterThan(1000)
})

test('an offer is found, listed, mailed and announced once it is published, and expires by itself', async () => {
  await hotLists(board)
  expect((await hotLists(board)).cached).toBe(true)
  const offer = await publishOffer(board, DRAFT)
  expect((await search('"two kettles"')).offers).toEqual([offer])
  const lists = await hotLists(board)
  expect(lists.cached).toBe(false)
  expect(lists.newest[0]?.id).toBe(offer.id)

  const offerId = offer.id
  await expect.poll(() => events).toContainEqual({ kind: 'published', offerId, title: DRAFT.title })
  // Everyone follows nothing yet but the full mailbox, whose mail must end among the dead letters.
  await expect
    .poll(() => board.jobs.mails.deadLetters(), { timeout: 20_000 })
    .toMatchObject([{ payload: { offerId }, attempts: 3 }])
  await expect.poll(() => events, { timeout: 20_000 }).toContainEqual({ kind: 'expired', offerId })
  expect((await offerById(board.pool, offerId))?.status).toBe('expired')
})

test('an offer whose last step fails leaves nothing behind', async () => {
  const [newest] = await newestOffers(board.pool, 1)
  const before = await Promise.all([board.jobs.announcements.stats(), board.jobs.expiries.stats()])
  await hotLists(board)
  const broken = {
    ...board,
    events: {
      publish: async (...args: Parameters<typeof board.events.publish>) => {
        await board.events.publish(...args)
        throw new Error('power cut')
      },
    },
  } as unknown as Board
  const title = 'Never published'
  await expect(publishOffer(broken, { ...DRAFT, title, runsFor: 60 })).rejects.toThrow('power cut')

  const after = await Promise.all([board.jobs.announcements.stats(), board.jobs.expiries.stats()])
  expect(after[0]).toEqual(before[0])
  // Those of the seed may have come due meanwhile.
  expect(after[1].delayed).toBeLessThanOrEqual(before[1].delayed)
  expect(await newestOffers(board.pool, 1)).toEqual([newest])
  expect((await search(`"${title}"`)).total).toBe(0)
  expect((await hotLists(board)).cached).toBe(true)
  // Messages keep their order, so the rolled-back one would have come before this.
  await board.events.publish({ kind: 'undelivered' })
  await expect.poll(() => events.at(-1)).toEqual({ kind: 'undelivered' })
  expect(events).not.toContainEqual(expect.objectContaining({ title }))
})

test('a second process on the same database finds the board as it is', async () => {
  const second = await openBoard(database.pool())
  expect((await search('')).total).toBe(2401)
  await second.close()
})
