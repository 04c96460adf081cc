import { type TestDatabase, testDatabase } from '@howdah/testkit'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { RunningExample } from '../../run-example.js'

let database: TestDatabase
let example: RunningExample
let url: string

beforeAll(async () => {
  database = await testDatabase()
  example = new RunningExample('nest', database.url)
  url = (await example.printed(/^The library is at (\S+)$/)).replace('[::1]', 'localhost')
})
afterAll(async () => {
  await example?.stop()
  await database?.close()
})

const post = (path: string, body: unknown, cookie = '') =>
  fetch(url + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', cookie },
    body: JSON.stringify(body),
  })
const get = async (path: string) => (await fetch(url + path)).json()

test('a book needs a login, is counted by a job, found by search, and never served as it was before', async () => {
  const book = { title: 'Tea', about: 'All about green and black tea' }
  expect((await post('/books', book)).status).toBe(401)
  expect((await post('/login', { reader: 7 })).status).toBe(400)
  const login = await post('/login', { reader: 'ada' })
  expect(login.status).toBe(201)
  const cookie = login.headers.get('set-cookie')?.split(';')[0] ?? ''
  expect((await post('/books', { title: 'Tea' }, cookie)).status).toBe(400)

  const added = await post('/books', book, cookie)
  expect(added.status).toBe(201)
  const { id } = (await added.json()) as { id: string }
  expect(await get('/books?q=green')).toEqual({ total: 1, titles: ['Tea'] })
  await expect.poll(() => get(`/books/${id}`)).toEqual({ id, ...book, words: 6 })
  const pool = database.pool()
  const { rows } = await pool.query('select count(*)::int as n from howdah.session')
  await pool.end()
  expect(rows).toEqual([{ n: 1 }])
})

test('nonsense is refused', async () => {
  for (const id of ['0', '-1', 'x', '99999999999999999999']) {
    expect((await fetch(`${url}/books/${id}`)).status, id).toBe(404)
  }
  expect((await fetch(`${url}/books`)).status).toBe(400)
  expect((await fetch(`${url}/books?q=a&q=b`)).status).toBe(400)
})

test('it ends cleanly when it is told to', async () => {
  expect(await example.stop()).toBe(0)
  await expect.poll(() => database.sessions()).toEqual([])
})
