import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { checkCron, dueSlots, ON_TIME_MS, slotsAfter, type When } from '../src/schedules/when.js'

const at = (text: string) => Date.parse(text)
const cron = (text: string, timezone = 'UTC'): When => ({
  cron: text,
  everyMs: null,
  timezone,
  anchor: 0,
})
const every = (everyMs: number, anchor = 0): When => ({
  cron: null,
  everyMs,
  timezone: 'UTC',
  anchor,
})
const iso = (slots: readonly number[]) => slots.map((slot) => new Date(slot).toISOString())

describe('crons', () => {
  test('have five or six fields or a name, in any time zone', () => {
    expect(iso(slotsAfter(cron('30 4 * * 1'), at('2026-11-28T00:00Z'), 1))).toEqual([
      '2026-11-30T04:30:00.000Z',
    ])
    expect(iso(slotsAfter(cron('*/20 * * * * *'), at('2026-11-28T00:00:05Z'), 3))).toEqual([
      '2026-11-28T00:00:20.000Z',
      '2026-11-28T00:00:40.000Z',
      '2026-11-28T00:01:00.000Z',
    ])
    expect(iso(slotsAfter(cron('@daily', 'Asia/Kathmandu'), at('2026-11-28T00:00Z'), 1))).toEqual([
      '2026-11-28T18:15:00.000Z',
    ])
  })

  test.each([
    '',
    '* * * *',
    '* * * * * * *',
    '61 * * * *',
    'every day',
    '0 0 30 2 *',
    "'; drop table x; --",
  ])('are refused where they are none: %j', (text) => {
    expect(() => checkCron(text, 'UTC')).toThrow(
      expect.objectContaining({ code: 'QUEUE_INVALID_OPTION' }),
    )
  })

  test('run once on the days on which clocks change', () => {
    const daily = cron('30 2 * * *', 'Europe/Berlin')
    expect(iso(slotsAfter(daily, at('2026-03-28T00:00Z'), 3))).toEqual([
      '2026-03-28T01:30:00.000Z',
      // There is no half past two: when the clocks have changed.
      '2026-03-29T01:00:00.000Z',
      '2026-03-30T00:30:00.000Z',
    ])
    expect(iso(slotsAfter(daily, at('2026-10-24T00:00Z'), 3))).toEqual([
      '2026-10-24T00:30:00.000Z',
      // There are two: the first.
      '2026-10-25T00:30:00.000Z',
      '2026-10-26T01:30:00.000Z',
    ])
  })

  test('that run every hour go on by real time when clocks change', () => {
    const hourly = cron('0 * * * *', 'Europe/Berlin')
    for (const day of ['2026-03-28T22:30Z', '2026-10-24T22:30Z']) {
      const slots = slotsAfter(hourly, at(day), 6)
      const steps = slots.slice(1).map((slot, n) => slot - (slots[n] as number))
      expect(new Set(steps)).toEqual(new Set([3_600_000]))
    }
  })
})

const MINUTE = 60_000

describe('slots that are due', () => {
  const now = at('2026-11-28T12:00:00Z')
  const minutely = cron('* * * * *')

  test('on time are all used, whatever catchUp says', () => {
    for (const catchUp of ['skip', 'last', 'all'] as const) {
      expect(dueSlots(minutely, catchUp, now, now + 900, 100)).toEqual({
        slots: [now],
        next: now + MINUTE,
      })
      expect(dueSlots(every(1000), catchUp, now - 3000, now, 100)).toEqual({
        slots: [now - 3000, now - 2000, now - 1000, now],
        next: now + 1000,
      })
    }
  })

  test('that were missed are skipped, or run once, or one by one', () => {
    const from = now - 10 * MINUTE
    const late = now + 30_000
    expect(dueSlots(minutely, 'skip', from, late, 100)).toEqual({ slots: [], next: now + MINUTE })
    expect(dueSlots(minutely, 'last', from, late, 100)).toEqual({
      slots: [now],
      next: now + MINUTE,
    })
    const all = dueSlots(minutely, 'all', from, late, 4)
    expect(iso(all.slots)).toEqual(iso([from, from + MINUTE, from + 2 * MINUTE, from + 3 * MINUTE]))
    expect(all.next).toBe(from + 4 * MINUTE)
    // One that is on time comes in place of those that were missed.
    expect(dueSlots(minutely, 'last', from, now + 5_000, 100).slots).toEqual([now])
  })

  const times = fc.oneof(
    fc
      .constantFrom('* * * * *', '*/7 * * * *', '0 */3 * * *', '30 2 * * *', '15 1 * * 0')
      .map((text) => cron(text, 'America/New_York')),
    fc
      .record({ step: fc.integer({ min: 1_000, max: 10_000_000 }), anchor: fc.nat(10_000_000) })
      .map(({ step, anchor }) => every(step, anchor)),
  )

  test('lose none and use none twice over any looks', () => {
    fc.assert(
      fc.property(
        times,
        fc.integer({ min: at('2026-01-01'), max: at('2026-12-01') }),
        fc.array(fc.integer({ min: 1, max: 4_000_000 }), { maxLength: 20 }),
        fc.integer({ min: 1, max: 5 }),
        (when, start, waits, limit) => {
          let clock = start
          let next = slotsAfter(when, start, 1)[0] as number
          const used: number[] = []
          for (const wait of waits) {
            clock += wait
            while (next <= clock) {
              const due = dueSlots(when, 'all', next, clock, limit)
              used.push(...due.slots)
              next = due.next as number
            }
          }
          expect(used).toEqual(slotsAfter(when, start, used.length))
          expect(next).toBeGreaterThan(clock)
        },
      ),
      { numRuns: 100 },
    )
  })

  test('are caught up by one run at most where that is asked for, and it is the newest', () => {
    fc.assert(
      fc.property(
        times,
        fc.integer({ min: at('2026-01-01'), max: at('2026-12-01') }),
        fc.integer({ min: ON_TIME_MS + 1, max: 100_000_000 }),
        (when, start, wait) => {
          const waited = slotsAfter(when, start, 1)[0] as number
          const clock = waited + wait
          const { slots, next } = dueSlots(when, 'last', waited, clock, 100)
          expect(slots.length).toBeGreaterThan(0)
          expect(slotsAfter(when, slots.at(-1) as number, 1)[0]).toBe(next)
          expect(next).toBeGreaterThan(clock)
          for (const slot of slots.slice(0, -1)) {
            expect(slot).toBeGreaterThanOrEqual(clock - ON_TIME_MS)
          }
        },
      ),
      { numRuns: 100 },
    )
  })
})
