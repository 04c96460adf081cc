import fc from 'fast-check'
import { expect, test } from 'vitest'
import { channelOf } from '../src/hub/channel.js'
import {
  decodeEnvelope,
  encodeEnvelope,
  MAX_NOTIFICATION_BYTES,
  MAX_PARTS,
  pack,
  toNotifications,
} from '../src/hub/envelope.js'
import { Inbox } from '../src/hub/inbox.js'
import { encodeMessage, MAX_MESSAGE_BYTES } from '../src/hub/message.js'

const HUB = 'AAAA-AAAA_AA'

function notificationsOf(payload: unknown, seq = 1, limit = MAX_NOTIFICATION_BYTES): string[] {
  return toNotifications(
    HUB,
    seq,
    encodeEnvelope(HUB, seq, [encodeMessage('k', 'n', payload)]),
    limit,
  )
}

function received(notifications: readonly string[]): unknown[] {
  const inbox = new Inbox()
  return notifications.flatMap((text) => inbox.accept(text)).flatMap(({ payloads }) => payloads)
}

test('every size around the limit comes through whole, whatever bytes its characters take', () => {
  for (const character of ['a', 'é', '€', '😀', '"', '\n']) {
    const width = Buffer.byteLength(JSON.stringify(character)) - 2
    for (const multiple of [1, 2]) {
      const count = Math.floor((MAX_NOTIFICATION_BYTES * multiple) / width)
      for (let length = count - 80; length <= count + 20; length++) {
        for (const shift of ['', 'x', 'xx', 'xxx']) {
          const payload = shift + character.repeat(length)
          const notifications = notificationsOf(payload)
          for (const text of notifications) {
            expect(Buffer.byteLength(text)).toBeLessThanOrEqual(MAX_NOTIFICATION_BYTES)
          }
          expect(received(notifications)).toEqual([payload])
        }
      }
    }
  }
})

test('a message that fits is one notification, and the first that does not is two', () => {
  const room = MAX_NOTIFICATION_BYTES - Buffer.byteLength(notificationsOf('')[0] as string)
  expect(notificationsOf('x'.repeat(room))).toHaveLength(1)
  expect(notificationsOf('x'.repeat(room + 1))).toHaveLength(2)
})

test('any JSON survives parts of any size', () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.integer({ min: 60, max: 300 }), (value, limit) => {
      const payload = JSON.parse(JSON.stringify(value))
      const notifications = notificationsOf(payload, Number.MAX_SAFE_INTEGER, limit)
      expect(received(notifications)).toEqual([payload])
    }),
  )
})

test('messages of any names, bells among them, are packed and read in their order', () => {
  const short = fc.constantFrom('a', 'b', '__proto__', '"')
  const payload = fc.oneof(
    fc.constant(undefined),
    fc.integer(),
    fc.constantFrom('x'.repeat(3_000), 'é'.repeat(9_000)),
  )
  fc.assert(
    fc.property(
      fc.array(fc.tuple(short, short, payload), { minLength: 1, maxLength: 40 }),
      (sent) => {
        let seq = 0
        const messages = sent.map(([kind, name, value]) => encodeMessage(kind, name, value))
        const notifications = pack(HUB, () => ++seq, messages)
        const inbox = new Inbox()
        const out = notifications.flatMap((text) => {
          expect(Buffer.byteLength(text)).toBeLessThanOrEqual(MAX_NOTIFICATION_BYTES)
          return inbox.accept(text)
        })
        expect(
          out.flatMap(({ kind, name, payloads }) => payloads.map((p) => [kind, name, p])),
        ).toEqual(sent)
      },
    ),
  )
})

test('the largest message has no more parts than are taken', () => {
  const payload = '😀'.repeat((MAX_MESSAGE_BYTES - 12) / 4)
  const notifications = notificationsOf(payload, Number.MAX_SAFE_INTEGER)
  expect(notifications.length).toBeLessThanOrEqual(MAX_PARTS)
  expect(received(notifications)).toEqual([payload])
  expect(() => encodeMessage('k', 'n', `${payload}x`)).toThrow(/bytes/)
})

test('whatever is mixed between the parts, no message comes out wrong, and the next whole one comes out', () => {
  const large = notificationsOf('x'.repeat(30_000), 7)
  const other = notificationsOf('y'.repeat(30_000), 8)
  const piece = fc.oneof(
    fc.constantFrom(...large, ...other, '?nonce', 'rubbish', ''),
    fc.string(),
    fc.string().map((text) => `~${text}`),
  )
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 12 }), (mixture) => {
      const inbox = new Inbox()
      const out: unknown[] = []
      for (const text of [...mixture, ...notificationsOf('z'.repeat(30_000), 9)]) {
        try {
          out.push(...inbox.accept(text).flatMap(({ payloads }) => payloads))
        } catch (error) {
          expect(error).toMatchObject({ code: 'CORE_HUB_MALFORMED' })
        }
      }
      expect(out.at(-1)).toBe('z'.repeat(30_000))
      for (const payload of out) expect(payload).toMatch(/^(x{30000}|y{30000}|z{30000})$/)
    }),
  )
})

test('parts that never end hold no more memory than the largest message', () => {
  const inbox = new Inbox()
  const [first] = notificationsOf('x'.repeat(30_000), 7) as [string]
  const header = first.slice(0, first.indexOf('~', 1) + 1)
  const count = Number(header.slice(1, -1).split('.')[3])
  expect(() => inbox.accept(header.replace(`.${count}~`, `.${MAX_PARTS + 1}~`))).toThrow()
  for (let i = 0; i < 1000; i++) expect(inbox.accept(first)).toEqual([])
  expect(received(notificationsOf('after'))).toEqual(['after'])
})

test('an envelope of another version is named as such', () => {
  expect(() => decodeEnvelope(`[3,"${HUB}",1,[]]`)).toThrow(/version 3/)
})

test('a channel fits into 63 bytes for any schema, and differs for each', () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), (one, two) => {
      expect(channelOf(one)).toMatch(/^howdah_[0-9a-f]{24}$/)
      if (one !== two) expect(channelOf(one)).not.toBe(channelOf(two))
    }),
  )
})
