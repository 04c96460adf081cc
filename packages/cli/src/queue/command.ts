import { Command, Option } from 'commander'
import { yes } from '../confirm.js'
import { common } from '../connection.js'
import { limit } from '../numbers.js'
import {
  cancel,
  jobs,
  listAll,
  pause,
  purge,
  resume,
  retry,
  showJob,
  showQueue,
} from './actions.js'

const STATES = [
  'waiting',
  'delayed',
  'running',
  'blocked',
  'completed',
  'failed',
  'discarded',
  'cancelled',
  'expired',
]

/** The command `howdah queue`. */
export function queueCommand(): Command {
  const queue = new Command('queue').description('Look at queues and their jobs, and act on them.')
  common(queue.command('list')).description('List queues.').action(listAll)
  common(queue.command('show <queue>'))
    .description('Show a queue and who works on it.')
    .action(showQueue)
  common(queue.command('jobs <queue>'))
    .description('List jobs of one state: failed ones are the dead letters.')
    .addOption(new Option('--state <state>', 'which jobs').choices(STATES).default('waiting'))
    .option('--limit <n>', 'at most so many', limit(1000), 20)
    .option('--after <cursor>', 'go on where the list before ended')
    .action(jobs)
  common(queue.command('job <queue> <id>')).description('Show a job.').action(showJob)
  common(queue.command('retry <queue> [ids...]'))
    .description('Put dead letters back, with all their attempts anew: those named, or all.')
    .addOption(yes())
    .action(retry)
  common(queue.command('cancel <queue> <ids...>'))
    .description('Cancel jobs, wherever they are.')
    .addOption(yes())
    .action(cancel)
  common(queue.command('pause <queue>'))
    .description('Stop claiming, in all processes.')
    .action(pause)
  common(queue.command('resume <queue>')).description('Go on claiming.').action(resume)
  common(queue.command('purge <queue> [ids...]'))
    .description('Delete dead letters for good: those named, or all.')
    .option('--waiting', 'delete what waits or is delayed instead')
    .addOption(yes())
    .action(purge)
  return queue
}
