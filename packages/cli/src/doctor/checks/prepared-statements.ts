import { type Check, fact } from '../check.js'

export const preparedStatements: Check = {
  id: 'prepared-statements',
  title: 'Prepared statements',
  async run({ pooling }) {
    const { mode, keepsPrepared } = await pooling()
    if (mode === 'direct' || keepsPrepared) return [fact('Prepared statements are kept.')]
    return [
      {
        level: 'error',
        what: 'The pooler loses prepared statements.',
        costs:
          'Statements fail with SQLSTATE 26000 or 42P05 whenever a process gets another server connection.',
        mend: 'Upgrade to PgBouncer 1.21 or newer with max_prepared_statements above 0, or make each Database with { prepare: false }.',
      },
    ]
  },
}
