import { readFileSync } from 'node:fs'
import type pg from 'pg'
import { notTested } from '../../../scripts/not-tested.js'

/** Installs pgmq where the server offers it, or `PGMQ_SQL` names a file with its SQL. Answers whether it is there. */
export async function installPgmq(pool: pg.Pool): Promise<boolean> {
  const file = process.env['PGMQ_SQL']
  if (file !== undefined && file !== '') {
    await pool.query(readFileSync(file, 'utf8'))
    return true
  }
  const { rows } = await pool.query(`select 1 from pg_available_extensions where name = 'pgmq'`)
  if (rows.length === 0) {
    notTested('the engine pgmq', 'this server has no pgmq, and PGMQ_SQL names no file with its SQL')
    return false
  }
  await pool.query('create extension pgmq')
  return true
}
