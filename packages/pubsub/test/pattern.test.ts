import { expect, test } from 'vitest'
import { Bench, eventually } from './support.js'

const bench = new Bench().use()

test('a pattern hears the channels that match, with their names, and channels hear theirs too', async () => {
  const subscriber = bench.process().pubsub
  const heard: [kind: string, channel: string, message: unknown][] = []
  await subscriber
    .pattern<number>('room:[a-c]:*')
    .subscribe((n, { channel }) => heard.push(['pattern', channel, n]))
  await subscriber
    .channel<number>('room:a:1')
    .subscribe((n, { channel }) => heard.push(['channel', channel, n]))
  const publisher = bench.process().pubsub
  await publisher.channel('room:d:1').publish(0)
  await publisher.channel('room:a:1').publish(1)
  await publisher.channel('room:c:__proto__').publish(2)
  await publisher.channel('room:a').publish(3)
  await publisher.channel('room:b:x').publish('x'.repeat(1_200_000))
  await publisher.channel('room:a:\0').publish(4)
  await eventually(() => heard.length).toBe(5)
  expect(heard.filter(([kind]) => kind === 'channel')).toEqual([['channel', 'room:a:1', 1]])
  expect(heard.filter(([, , n]) => typeof n === 'number')).toEqual([
    ['channel', 'room:a:1', 1],
    ['pattern', 'room:a:1', 1],
    ['pattern', 'room:c:__proto__', 2],
    ['pattern', 'room:a:\0', 4],
  ])
})

test('it goes with its subscription, in the middle of a message too', async () => {
  const { pubsub } = bench.process()
  const heard: string[] = []
  const later: { close?: () => Promise<void> } = {}
  await pubsub.pattern('x*').subscribe(() => {
    heard.push('first')
    void later.close?.()
  })
  const second = await pubsub.pattern('*x').subscribe(() => heard.push('second'))
  later.close = () => second.close()
  await pubsub.channel('x').publish(1)
  await pubsub.channel('x').publish(2)
  await eventually(() => heard).toEqual(['first', 'first'])
  const third = await pubsub.pattern('x').subscribe(() => heard.push('third'))
  await pubsub.channel('x').publish(3)
  await eventually(() => heard).toEqual(['first', 'first', 'first', 'third'])
  await third.close()
})

test('messages() of a pattern iterates with names, until the signal aborts', async () => {
  const { pubsub, db } = bench.process()
  const stop = new AbortController()
  const heard: unknown[] = []
  const reading = (async () => {
    for await (const one of pubsub.pattern<number>('it?').messages({ signal: stop.signal })) {
      heard.push(one)
      if (heard.length === 2) stop.abort()
    }
  })()
  await eventually(() => db.hub.state).toBe('listening')
  await pubsub.channel('it1').publish(1)
  await pubsub.channel('other').publish(2)
  await pubsub.channel('it2').publish(3)
  await reading
  expect(heard).toEqual([
    { channel: 'it1', message: 1 },
    { channel: 'it2', message: 3 },
  ])
})

test('ten thousand patterns cost a message little', async () => {
  const { pubsub } = bench.process()
  let heard = 0
  await Promise.all(
    Array.from({ length: 10_000 }, (_, n) =>
      pubsub.pattern(`user:${n}:*`).subscribe(() => {
        heard++
      }),
    ),
  )
  const sender = bench.process().pubsub
  await Promise.all(
    Array.from({ length: 10_000 }, (_, n) => sender.channel(`user:${n}:m`).publish(n)),
  )
  await eventually(() => heard).toBe(10_000)
})

test('a pattern is well-formed text of some length', () => {
  const { pubsub } = bench.process()
  for (const bad of ['', '\ud800', 'x'.repeat(1001), 7 as unknown as string]) {
    expect(() => pubsub.pattern(bad)).toThrow(
      expect.objectContaining({ code: 'PUBSUB_INVALID_OPTION' }),
    )
  }
})
