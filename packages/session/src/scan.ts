const BATCH = 500

/** Reads rows batch by batch, each behind the last one of the batch before, in the order of their hashes. */
export async function* scanAll<Row>(
  read: (after: string, limit: number) => Promise<readonly Row[]>,
  hashOf: (row: Row) => string,
): AsyncGenerator<Row> {
  let after = ''
  for (;;) {
    const rows = await read(after, BATCH)
    yield* rows
    const last = rows.at(-1)
    if (last === undefined || rows.length < BATCH) return
    after = hashOf(last)
  }
}
