import { Command } from 'commander'
import { yes } from '../confirm.js'
import { common } from '../connection.js'
import { limit } from '../numbers.js'
import { deadLetters, drop, groups, list, messages, purge, retry } from './actions.js'

/** The command `howdah stream`. */
export function streamCommand(): Command {
  const stream = new Command('stream').description('Look at streams and groups, and act on them.')
  common(stream.command('list')).description('List streams.').action(list)
  common(stream.command('groups [stream]'))
    .description('List groups with how far each is behind.')
    .action(groups)
  common(stream.command('show <stream>'))
    .description('Show messages of a stream, its last ones where it is not said from where.')
    .option('--after <position>', 'an offset, a position, or earliest')
    .option('--limit <n>', 'at most so many', limit(1000), 10)
    .action(messages)
  common(stream.command('dead <stream> <group>'))
    .description('List messages that failed too often.')
    .option('--after <offset>', 'begin behind this offset', '0')
    .option('--limit <n>', 'at most so many', limit(10_000), 20)
    .action(deadLetters)
  common(stream.command('retry <stream> <group> [offsets...]'))
    .description('Give dead letters of a shared group out anew: those named, or all.')
    .addOption(yes())
    .action(retry)
  common(stream.command('purge <stream> <group> [offsets...]'))
    .description('Forget dead letters: those named, or all.')
    .addOption(yes())
    .action(purge)
  common(stream.command('drop <stream>'))
    .description('Drop a stream with its messages and groups.')
    .addOption(yes())
    .action(drop)
  return stream
}
