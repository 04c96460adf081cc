/**
 * A library on NestJS: a cache, jobs, a search index and sessions as providers, all in one PostgreSQL.
 * Needs `DATABASE_URL`; `PORT` is 3000 unless it is given.
 */
import 'reflect-metadata'
import { Cache } from '@howdah/cache'
import { Database } from '@howdah/core'
import { Queue } from '@howdah/queue'
import { SearchIndex } from '@howdah/search'
import { PgSessionStore } from '@howdah/session/express'
import {
  Body,
  Controller,
  Get,
  HttpException,
  Inject,
  Module,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
  Param,
  Post,
  Query,
  Session,
} from '@nestjs/common'
import { ModuleRef, NestFactory } from '@nestjs/core'
import session, { type SessionData } from 'express-session'
import { Pool } from 'pg'

declare module 'express-session' {
  interface SessionData {
    reader: string
  }
}

type Book = Record<'id' | 'title' | 'about', string> & { words: number | null }
const FIND_BOOK = 'select *, id::text from book where id = $1'
const COUNT_WORDS = `update book set words = cardinality(regexp_split_to_array(trim(about), '\\s+')) where id = $1`
type Counting = Queue<{ readonly book: string }>

// Classes as tokens would do where the compiler writes the types of parameters; names work with every compiler.
const [POOL, BOOKS, COUNTING, SEARCH, STORE] = ['pool', 'books', 'counting', 'search', 'store']

@Controller()
class LibraryController {
  @Inject(POOL) readonly pool!: Pool
  @Inject(BOOKS) readonly books!: Cache
  @Inject(COUNTING) readonly counting!: Counting
  @Inject(SEARCH) readonly index!: SearchIndex

  @Post('login')
  login(@Session() mine: Partial<SessionData>, @Body('reader') reader: unknown): void {
    if (typeof reader !== 'string' || reader === '') throw new HttpException('Who is it?', 400)
    mine.reader = reader
  }

  @Post('books')
  async add(@Session() mine: Partial<SessionData>, @Body() { title, about }: Partial<Book>) {
    if (mine.reader === undefined) throw new HttpException('Log in first.', 401)
    if (typeof title !== 'string' || typeof about !== 'string')
      throw new HttpException('A title and what it is about.', 400)
    // The book, its place in the index and its job come together, or not at all.
    return Database.from(this.pool).transaction(async (tx) => {
      const { rows } = await tx.query(
        'insert into book (title, about) values ($1, $2) returning id::text',
        [title, about],
      )
      const [{ id }] = rows as [{ id: string }]
      await this.counting.add({ book: id }, { client: tx })
      return { id }
    })
  }

  @Get('books/:id')
  async show(@Param('id') id: string): Promise<Book> {
    if (!/^\d{1,18}$/.test(id)) throw new HttpException('There is no such book.', 404)
    const book = await this.books.getOrSet<Book | null>(id, async () => {
      const { rows } = await this.pool.query<Book>(FIND_BOOK, [id])
      return rows[0] ?? null
    })
    if (book === null) throw new HttpException('There is no such book.', 404)
    return book
  }

  @Get('books')
  async search(@Query('q') text: unknown) {
    if (typeof text !== 'string') throw new HttpException('Search with ?q=', 400)
    const { total, hits } = await this.index.search(text)
    return { total, titles: hits.map((hit) => hit.row['title']) }
  }
}

/** Runs the jobs, and closes everything in an order that lets them end. */
class Lifecycle implements OnApplicationBootstrap, OnApplicationShutdown {
  @Inject(ModuleRef) readonly modules!: ModuleRef

  onApplicationBootstrap(): void {
    const [pool, books] = [this.modules.get<Pool>(POOL), this.modules.get<Cache>(BOOKS)]
    this.modules.get<Counting>(COUNTING).work(async ({ payload: { book } }) => {
      await pool.query(COUNT_WORDS, [book])
      await books.delete(book)
    })
  }

  async onApplicationShutdown(): Promise<void> {
    for (const token of [COUNTING, BOOKS, SEARCH, STORE]) await this.modules.get(token).close()
    await Database.from(this.modules.get(POOL)).close()
    await this.modules.get(POOL).end()
  }
}

const fromPool = <T>(provide: string, useFactory: (pool: Pool) => T) => ({
  provide,
  useFactory,
  inject: [POOL],
})

@Module({
  controllers: [LibraryController],
  providers: [
    Lifecycle,
    { provide: POOL, useFactory: openPool },
    fromPool(BOOKS, (pool) => new Cache({ pool, namespace: 'books', ttl: '5m' })),
    fromPool(COUNTING, (pool) => new Queue('counting', { pool })),
    fromPool(STORE, (pool) => new PgSessionStore({ pool, ttl: '7d' })),
    fromPool(SEARCH, async (pool) => {
      const fields = { title: { weight: 2 }, about: {} }
      const index = new SearchIndex('books', { pool, table: 'public.book', key: 'id', fields })
      await index.attach()
      return index
    }),
  ],
})
class LibraryModule {}

async function openPool(): Promise<Pool> {
  const pool = new Pool({ connectionString: process.env['DATABASE_URL'] })
  await pool.query(
    'create table if not exists book (id bigint generated always as identity primary key, title text not null, about text not null, words int)',
  )
  return pool
}

const app = await NestFactory.create(LibraryModule, { logger: ['error', 'warn'] })
const secret = process.env['SESSION_SECRET'] ?? 'read it from the environment'
app.use(session({ store: app.get(STORE), secret, resave: false, saveUninitialized: false }))
app.enableShutdownHooks([], { useProcessExit: true })
await app.listen(Number(process.env['PORT'] ?? 3000))
console.log(`The library is at ${await app.getUrl()}`)
