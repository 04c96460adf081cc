import type { Schedules } from '@howdah/queue'
import { Command } from 'commander'
import { confirm, yes } from '../confirm.js'
import { type CommonOptions, common } from '../connection.js'
import { type ActOptions, notFound, withPackage } from '../looking.js'
import { brief, duration, plain, properties, show, table, time } from '../output.js'
import { listSchedules, type ScheduleRow } from '../sql/list-schedules.js'

const NEXT = 3
const RUNS = 10

/** The command `howdah schedule`. */
export function scheduleCommand(): Command {
  const schedule = new Command('schedule').description(
    'Look at the schedules of queues, and act on them.',
  )
  common(schedule.command('list [queue]'))
    .description('List schedules, of all queues or one.')
    .action(list)
  common(schedule.command('show <queue> <name>'))
    .description('Show a schedule, when it runs next, and its last runs.')
    .action(showOne)
  common(schedule.command('pause <queue> <name>'))
    .description('Stop it, in all processes.')
    .action(pause)
  common(schedule.command('resume <queue> <name>'))
    .description('Let it go on with its next slot.')
    .action(resume)
  common(schedule.command('run <queue> <name>')).description('Run it now.').action(run)
  common(schedule.command('remove <queue> <name>'))
    .description('Remove it with its history; jobs it has added stay.')
    .addOption(yes())
    .action(remove)
  return schedule
}

async function list(queue: string | undefined, options: CommonOptions): Promise<void> {
  const schedules = await withPackage('queue', options, (_, db) =>
    db.query(listSchedules(db.schema, queue ?? null, null)),
  )
  show(options.json, { schedules }, () =>
    table(
      ['queue', 'schedule', 'when', 'zone', 'next', 'last', 'outcome', ''],
      schedules.map((row) => [
        row.queue,
        row.name,
        when(row),
        row.timezone,
        row.driver === 'pg_cron' ? 'by pg_cron' : time(row.nextAt),
        time(row.lastAt),
        row.lastOutcome,
        row.paused ? 'paused' : '',
      ]),
      'There are no schedules.',
    ),
  )
}

async function showOne(queue: string, name: string, options: CommonOptions): Promise<void> {
  const found = await withSchedule(queue, name, options, async (schedules) => ({
    schedule: await schedules.get(name),
    next: await schedules.next(name, NEXT),
    runs: await schedules.runs(name, { limit: RUNS }),
  }))
  show(options.json, { queue, ...found }, () => {
    const { schedule, next, runs } = found
    return (
      properties([
        ['queue', queue],
        ['schedule', name],
        ['when', schedule?.cron ?? `every ${duration(schedule?.every)}`],
        ['zone', schedule?.timezone],
        ['state', schedule?.paused ? 'paused' : 'running'],
        ['catches up', schedule?.catchUp],
        ['overlap', schedule?.overlap],
        ['driver', schedule?.driver],
        ['payload', brief(schedule?.payload, 400)],
        ['next', next.map(time).join(', ')],
      ]) +
      table(
        ['slot', 'outcome', 'job', 'started', 'finished'],
        runs.map((one) => [
          time(one.scheduledAt),
          one.outcome,
          one.job,
          time(one.startedAt),
          time(one.finishedAt),
        ]),
        'It has not run yet.',
      )
    )
  })
}

async function pause(queue: string, name: string, options: CommonOptions): Promise<void> {
  await withSchedule(queue, name, options, (schedules) => schedules.pause(name))
  show(options.json, { queue, schedule: name, paused: true }, () => `${plain(name)} is paused.\n`)
}

async function resume(queue: string, name: string, options: CommonOptions): Promise<void> {
  await withSchedule(queue, name, options, (schedules) => schedules.resume(name))
  show(options.json, { queue, schedule: name, paused: false }, () => `${plain(name)} goes on.\n`)
}

async function run(queue: string, name: string, options: CommonOptions): Promise<void> {
  const job = await withSchedule(queue, name, options, (schedules) => schedules.runNow(name))
  show(options.json, { queue, schedule: name, job: job ?? null }, () =>
    job === undefined
      ? 'Not run: an earlier run has not ended, and they are not to overlap.\n'
      : `Job ${job} is added.\n`,
  )
}

async function remove(queue: string, name: string, options: ActOptions): Promise<void> {
  await withSchedule(queue, name, options, async (schedules) => {
    if (options.yes !== true)
      await confirm(`Remove schedule '${name}' of '${queue}' with its history?`)
    await schedules.remove(name)
  })
  show(options.json, { queue, schedule: name, removed: true }, () => `${plain(name)} is removed.\n`)
}

/** A queue object would make the queue, so the schedule is looked for first. */
function withSchedule<T>(
  queue: string,
  name: string,
  options: CommonOptions,
  work: (schedules: Schedules<unknown>) => Promise<T>,
): Promise<T> {
  return withPackage('queue', options, async (module, db) => {
    const [row] = await db.query(listSchedules(db.schema, queue, name))
    if (row === undefined) {
      throw notFound(`schedule '${name}' of queue '${queue}'`, 'howdah schedule list')
    }
    await using opened = new module.Queue(queue, { pool: db })
    return await work(opened.schedules)
  })
}

function when({ cron, everyMs }: ScheduleRow): string {
  return cron ?? `every ${duration(everyMs)}`
}
