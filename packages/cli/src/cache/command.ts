import type { Cache } from '@howdah/cache'
import { Command } from 'commander'
import { confirm, yes } from '../confirm.js'
import { type CommonOptions, common } from '../connection.js'
import { type ActOptions, notFound, withPackage } from '../looking.js'
import { limit } from '../numbers.js'
import { about, brief, duration, lines, plain, properties, show, size, table } from '../output.js'
import { findNamespace, listNamespaces } from '../sql/list-namespaces.js'

interface KeysOptions extends CommonOptions {
  readonly limit: number
}
interface PurgeOptions extends ActOptions {
  readonly tag?: readonly string[]
}

/** The command `howdah cache`. */
export function cacheCommand(): Command {
  const cache = new Command('cache').description('Look at what caches hold, and purge it.')
  common(cache.command('list')).description('List namespaces.').action(list)
  common(cache.command('show <namespace>'))
    .description('Show what a namespace holds.')
    .action(showOne)
  common(cache.command('keys <namespace>'))
    .description('List keys that are live, in no meaningful order.')
    .option('--limit <n>', 'at most so many', limit(100_000), 100)
    .action(keys)
  common(cache.command('get <namespace> <key>'))
    .description('Show the value of a key, its version and the time it has left.')
    .action(get)
  common(cache.command('purge <namespace> [keys...]'))
    .description('Forget keys, or all there is.')
    .option('--tag <tag...>', 'forget what carries one of these tags instead')
    .addOption(yes())
    .action(purge)
  return cache
}

async function list(options: CommonOptions): Promise<void> {
  const namespaces = await withPackage('cache', options, (_, db) =>
    db.query(listNamespaces(db.schema)),
  )
  show(options.json, { namespaces }, () =>
    table(
      ['namespace', 'entries', 'bytes', 'kept in'],
      namespaces.map((row) => [
        row.name,
        about(row.entries, row.estimated),
        size(row.bytes),
        row.logged ? 'logged' : 'unlogged',
      ]),
      'There are no namespaces.',
    ),
  )
}

async function showOne(namespace: string, options: CommonOptions): Promise<void> {
  const { found, logged } = await withNamespace(namespace, options, async (cache, isLogged) => {
    const { entries, bytes, estimated } = await cache.stats()
    return { found: { entries, bytes, estimated }, logged: isLogged }
  })
  show(options.json, { namespace, logged, ...found }, () =>
    properties([
      ['namespace', namespace],
      ['kept in', logged ? 'a logged table' : 'an UNLOGGED table, empty after a crash'],
      ['entries', about(found.entries, found.estimated)],
      ['bytes', size(found.bytes)],
    ]),
  )
}

async function keys(namespace: string, options: KeysOptions): Promise<void> {
  const found = await withNamespace(namespace, options, async (cache) => {
    const all: string[] = []
    for await (const key of cache.keys()) {
      all.push(key)
      if (all.length === options.limit) break
    }
    return all
  })
  show(options.json, { namespace, keys: found }, () => lines(found.map(plain)))
}

async function get(namespace: string, key: string, options: CommonOptions): Promise<void> {
  const entry = await withNamespace(namespace, options, (cache) => cache.entry(key))
  if (entry === undefined)
    throw notFound(`live key '${key}' in '${namespace}'`, 'howdah cache keys')
  const value = printable(entry.value)
  show(options.json, { namespace, key, ...entry, value }, () =>
    properties([
      ['key', key],
      ['version', entry.version],
      ['left', entry.ttl === null ? 'for ever' : duration(entry.ttl)],
      ['value', brief(value, 100_000)],
    ]),
  )
}

async function purge(
  namespace: string,
  names: readonly string[],
  options: PurgeOptions,
): Promise<void> {
  const { tag = [], yes: confirmed = false } = options
  const what =
    tag.length > 0
      ? `what carries ${tag.join(', ')}`
      : names.length > 0
        ? `${names.length} key(s)`
        : 'everything'
  const removed = await withNamespace(namespace, options, async (cache) => {
    if (!confirmed) await confirm(`Forget ${what} in '${namespace}'?`)
    if (tag.length > 0) await cache.invalidateTags(tag)
    else if (names.length > 0) return cache.deleteMany(names)
    else await cache.clear()
    return null
  })
  show(options.json, { namespace, removed }, () =>
    removed === null ? `Forgot ${plain(what)}.\n` : `${removed} of ${names.length} were there.\n`,
  )
}

/** A cache object would make the namespace, and in one table or the other. */
function withNamespace<T>(
  namespace: string,
  options: CommonOptions,
  work: (cache: Cache, logged: boolean) => Promise<T>,
): Promise<T> {
  return withPackage('cache', options, async (module, db) => {
    const [row] = await db.query(findNamespace(db.schema, namespace))
    if (row === undefined) throw notFound(`namespace '${namespace}'`, 'howdah cache list')
    const durability = row.logged ? 'logged' : 'unlogged'
    await using cache = new module.Cache({ pool: db, namespace, durability })
    return await work(cache, row.logged)
  })
}

/** JSON has no way to say some values that a cache holds. */
function printable(value: unknown): unknown {
  if (typeof value === 'bigint') return `${value}n`
  if (value instanceof Uint8Array)
    return `${value.byteLength} bytes: ${Buffer.from(value).toString('base64')}`
  return value
}
