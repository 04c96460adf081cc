/**
 * The scope of one tenant.
 *
 * The tenant is a setting of the transaction, so a statement of its own gets a transaction of its own.
 *
 * Invariants
 * - The setting is made in the transaction that the statement runs in, before it, and the server drops it at the end:
 *   a connection goes back to the pool, or to PgBouncer, without a tenant.
 * - A transaction belongs to one tenant from the first statement that names one until its end.
 */
import type { Driver } from './drivers/driver.js'
import { HowdahError } from './errors.js'
import type { Queryable } from './queryable.js'
import { enterTenant } from './sql/tenant-enter.js'
import { joinTenant } from './sql/tenant-join.js'
import type { Statement } from './statement.js'

const LONGEST_ID = 255

/** @throws {@link HowdahError} CORE_INVALID_OPTION when the value cannot name a tenant */
export function assertTenantId(id: unknown): asserts id is string {
  // NUL is refused by the server, and a lone surrogate replaced by the driver: two ids could become one.
  const valid =
    typeof id === 'string' &&
    id !== '' &&
    id.length <= LONGEST_ID &&
    !id.includes('\0') &&
    !/\p{Surrogate}/u.test(id)
  if (valid) return
  throw new HowdahError(
    'CORE_INVALID_OPTION',
    `The id of a tenant must be a string of 1 to ${LONGEST_ID} characters of well-formed Unicode without NUL.`,
  )
}

/** Wraps a driver so that all it runs, it runs as one tenant. */
export function tenantDriver(parent: Driver, tenant: string): Driver {
  const transaction: Driver['transaction'] = (fn) =>
    parent.transaction(async (connection) => {
      await run(connection, enterTenant('', tenant))
      return fn(connection)
    })
  return {
    kind: parent.kind,
    query: (statement) => transaction((connection) => run(connection, statement)),
    transaction,
    iterate: (statement, batchSize) =>
      parent.kind === 'pglite'
        ? readAtOnce(transaction, statement, batchSize)
        : readCursor(transaction, statement, batchSize),
    connect: (url, signal) => parent.connect(url, signal),
  }
}

/**
 * Makes a transaction that somebody else opened the tenant's.
 *
 * @throws {@link HowdahError} CORE_TENANT_CONFLICT when it is another tenant's already
 */
export async function joinAsTenant(connection: Queryable, tenant: string): Promise<void> {
  const joined = await run(connection, joinTenant('', tenant))
  if (joined.length === 1) return
  throw new HowdahError(
    'CORE_TENANT_CONFLICT',
    'This transaction runs as another tenant, and a transaction serves one. Open one for each tenant, with db.tenant(id).transaction().',
  )
}

/** Reads through a cursor of a transaction that stays open, on one connection, until the iteration ends. */
async function* readCursor(
  transaction: Driver['transaction'],
  statement: Statement,
  batchSize: number,
): AsyncGenerator<unknown[], void, void> {
  let end: () => void = () => {}
  const ended = new Promise<void>((resolve) => {
    end = resolve
  })
  let opened: (connection: Queryable) => void = () => {}
  const opening = new Promise<Queryable>((resolve) => {
    opened = resolve
  })
  let failure: unknown
  const open = transaction(async (connection) => {
    await run(connection, {
      ...statement,
      text: `declare howdah_tenant no scroll cursor for ${statement.text}`,
    })
    opened(connection)
    await ended
    if (failure !== undefined) throw failure
  })
  try {
    // Where the transaction fails to open, it settles first, and with the reason.
    const connection = (await Promise.race([opening, open])) as Queryable
    for (;;) {
      const rows = await run(connection, fetch(batchSize))
      if (rows.length > 0) yield rows
      if (rows.length < batchSize) return
    }
  } catch (error) {
    failure = error
    throw error
  } finally {
    end()
    // What went wrong is on its way to the caller; that the transaction was rolled back for it says nothing more.
    await (failure === undefined ? open : open.catch(() => {}))
  }
}

/** PGlite's one connection must be free between batches, for the queries of the loop that reads them. */
async function* readAtOnce(
  transaction: Driver['transaction'],
  statement: Statement,
  batchSize: number,
): AsyncGenerator<unknown[], void, void> {
  const rows = await transaction((connection) => run(connection, statement))
  for (let at = 0; at < rows.length; at += batchSize) yield rows.slice(at, at + batchSize)
}

function fetch(batchSize: number): Statement {
  return { name: 'tenant.fetch', text: `fetch ${batchSize} from howdah_tenant`, values: [] }
}

async function run<Row>(connection: Queryable, { text, values }: Statement<Row>): Promise<Row[]> {
  return (await connection.query({ text, values: [...values] })).rows as Row[]
}
