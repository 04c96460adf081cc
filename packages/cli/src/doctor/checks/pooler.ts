import { type Check, fact } from '../check.js'

export const pooler: Check = {
  id: 'pooler',
  title: 'Pooler',
  async run({ pooling }) {
    const { mode } = await pooling()
    switch (mode) {
      case 'direct':
        return [fact('Connections lead to the server directly.')]
      case 'session':
        return [fact('Connections lead through a pooler, as it seems in session mode.')]
      case 'transaction':
        return [fact('Connections lead through a pooler in transaction mode.')]
      case 'statement':
        return [
          {
            level: 'error',
            what: 'Connections lead through a pooler in statement mode.',
            costs:
              'Transactions are refused, and with them migrations and every write with { client }.',
            mend: 'Set pool_mode = transaction for this database in the configuration of the pooler.',
          },
        ]
    }
  },
}
