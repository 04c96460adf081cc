import { afterEach, describe, expect, test } from 'vitest'
import { type Ctx, closeAll, openOptions, RawClient, STREAM, serve } from './gateway-support.js'
import { TwoProcesses } from './two-processes.js'

const bench = new TwoProcesses()
afterEach(closeAll)

describe('authorize()', () => {
  test('decides over each subscription, and hides which names there are', async () => {
    const pubsub = bench.pubSub()
    const { url } = await serve({
      ...openOptions(pubsub),
      resolve: (name) => (name.endsWith('/there') ? pubsub.channel(name) : undefined),
      authorize: async ({ user }, channel) => channel.startsWith(`${user}/`),
    })
    const client = await RawClient.open(`${url}?user=ann`)
    await client.subscribe('ann/there')
    for (const [n, ch] of ['bob/there', 'bob/not', 'ann/not'].entries()) {
      client.send({ t: 'sub', id: 10 + n, ch })
      await client.wait('error', n + 1)
    }
    expect(client.ofType('error').map(({ id, ch, code }) => [id, ch, code])).toEqual([
      [10, 'bob/there', 'PUBSUB_FORBIDDEN'],
      [11, 'bob/not', 'PUBSUB_FORBIDDEN'],
      [12, 'ann/not', 'PUBSUB_UNKNOWN_CHANNEL'],
    ])
  })

  test('that fails refuses, tells the application and not the client', async () => {
    const pubsub = bench.pubSub()
    const { url, gateway } = await serve({
      ...openOptions(pubsub),
      authorize: async () => {
        throw new Error('password=hunter2')
      },
    })
    const errors: unknown[] = []
    gateway.on('error', (error) => errors.push(error))
    const client = await RawClient.open(url)
    client.send({ t: 'sub', id: 1, ch: 'x' })
    expect(await client.wait('error')).toMatchObject({ code: 'PUBSUB_UNAVAILABLE', ch: 'x' })
    expect(JSON.stringify(client.frames)).not.toContain('hunter2')
    expect(errors).toMatchObject([{ message: 'password=hunter2' }])
  })

  test('limits what a client sees, whatever it asks for', async () => {
    const pubsub = bench.pubSub()
    const names = [bench.fresh(), STREAM + bench.fresh()]
    const { url } = await serve({
      ...openOptions(pubsub),
      authorize: ({ user }) => ({ filter: { tenant: user } }),
    })
    const client = await RawClient.open(`${url}?user=ann`)
    const filter = { or: [{ tenant: 'bob' }, { n: { gt: 1 } }] }
    for (const ch of names) await client.subscribe(ch, { filter })
    for (const message of [
      { tenant: 'bob', n: 5 },
      { tenant: 'ann', n: 1 },
      { tenant: 'ann', n: 2 },
    ]) {
      await pubsub.channel(names[0] as string).publish(message)
      await pubsub.stream(names[1] as string).append(message)
    }
    await client.wait('msg', 2)
    for (const ch of names) await pubsub.channel(ch).publish({ tenant: 'ann', n: 3 })
    await client.wait('msg', 3)
    const seen = client.ofType('msg').map(({ data }) => data as { tenant: string; n: number })
    expect(seen.every(({ tenant, n }) => tenant === 'ann' && n > 1)).toBe(true)
    expect(client.ofType('msg').find(({ ch }) => ch === names[1])).toMatchObject({ prev: 0 })
  })

  test('is asked again when its permission ends, and not before', async () => {
    const pubsub = bench.pubSub()
    const name = bench.fresh()
    let asked = 0
    let until = Number.POSITIVE_INFINITY
    const { url } = await serve({
      ...openOptions(pubsub),
      authorize: () => {
        if (++asked === 3) return false
        until = Date.now() + 150
        return { until }
      },
    })
    const client = await RawClient.open(url)
    await client.subscribe(name)
    const ended = await client.wait('error')
    expect(Date.now()).toBeGreaterThanOrEqual(until)
    expect(ended).toMatchObject({ code: 'PUBSUB_FORBIDDEN', ch: name })
    expect(asked).toBe(3)
    client.send({ t: 'sub', id: 9, ch: name })
    await client.wait('subd', 2)
  })

  test('with a permission that is over already refuses', async () => {
    const pubsub = bench.pubSub()
    for (const until of [0, Date.now() - 1, Number.NaN, new Date(0), new Date('never')]) {
      const { url } = await serve({ ...openOptions(pubsub), authorize: () => ({ until }) })
      const client = await RawClient.open(url)
      client.send({ t: 'sub', id: 1, ch: 'x' })
      expect(await client.wait('error')).toMatchObject({ code: 'PUBSUB_FORBIDDEN' })
    }
  })
})

describe('a withdrawn permission', () => {
  const barred = new Set<string>()
  const options = (pubsub: ReturnType<TwoProcesses['pubSub']>) => ({
    ...openOptions(pubsub),
    authorize: async ({ user }: Ctx) => {
      await new Promise(setImmediate)
      return !barred.has(user)
    },
  })

  test('ends subscriptions by revoke() and recheck(), of those it is about', async () => {
    const pubsub = bench.pubSub()
    const { url, gateway } = await serve(options(pubsub))
    const names = [bench.fresh(), STREAM + bench.fresh()]
    const [ann, bob] = await Promise.all(
      ['ann', 'bob'].map((user) => RawClient.open(`${url}?user=${user}`)),
    )
    for (const ch of names) {
      await ann?.subscribe(ch)
      await bob?.subscribe(ch)
    }
    gateway.revoke(({ user }, channel) => user === 'ann' && channel === names[0])
    expect(await ann?.wait('error')).toMatchObject({ code: 'PUBSUB_FORBIDDEN', ch: names[0] })
    barred.add('ann')
    await gateway.recheck(() => true)
    expect(await ann?.wait('error', 2)).toMatchObject({ code: 'PUBSUB_FORBIDDEN', ch: names[1] })
    await pubsub.channel(names[0] as string).publish(1)
    await pubsub.stream(names[1] as string).append(1)
    await bob?.wait('msg', 2)
    expect(ann?.ofType('msg')).toEqual([])
    expect(gateway.stats().subscriptions).toBe(2)
    barred.clear()
  })

  test('ends subscriptions in all processes by a message, and all are asked for after a gap', async () => {
    const [here, there] = [bench.pubSub(0), bench.pubSub(1)]
    const logouts = bench.fresh()
    const recheckOn = {
      channel: there.channel<unknown>(logouts),
      matches: ({ user }: Ctx, message: unknown) => user === message,
    }
    const { url } = await serve({ ...options(there), recheckOn })
    const [ann, bob] = await Promise.all(
      ['ann', 'bob'].map((user) => RawClient.open(`${url}?user=${user}`)),
    )
    const name = bench.fresh()
    await ann?.subscribe(name)
    await bob?.subscribe(name)
    barred.add('ann').add('bob')
    await here.channel(logouts).publish('ann')
    await ann?.wait('error')
    await there.channel(name).publish('still')
    await bob?.wait('msg')
    expect(bob?.ofType('error')).toEqual([])
    await bench.rows(
      `select pg_terminate_backend(pid) from pg_stat_activity
       where datname = current_database() and application_name = 'howdah'`,
    )
    expect(await bob?.wait('error')).toMatchObject({ code: 'PUBSUB_FORBIDDEN' })
    barred.clear()
  })

  test('counts even while the first answer is under way', async () => {
    const pubsub = bench.pubSub()
    const answers: ((yes: boolean) => void)[] = []
    const { url, gateway } = await serve({
      ...openOptions(pubsub),
      authorize: () => new Promise<boolean>((resolve) => answers.push(resolve)),
    })
    const client = await RawClient.open(url)
    const name = bench.fresh()
    client.send({ t: 'sub', id: 1, ch: name })
    await expect.poll(() => answers.length).toBe(1)
    const recheck = gateway.recheck(() => true)
    answers[1]?.(false)
    await recheck
    answers[0]?.(true)
    await client.wait('error')
    client.send({ t: 'ping' })
    await client.wait('pong')
    expect(client.ofType('subd')).toEqual([])
    expect(gateway.stats().subscriptions).toBe(0)
  })

  test('leaves the filter of the last answer, in whatever order they come', async () => {
    const pubsub = bench.pubSub()
    const answers: ((permission: object) => void)[] = []
    const { url, gateway } = await serve({
      ...openOptions(pubsub),
      authorize: () => new Promise<object>((resolve) => answers.push(resolve)),
    })
    const client = await RawClient.open(url)
    const name = bench.fresh()
    client.send({ t: 'sub', id: 1, ch: name })
    await expect.poll(() => answers.length).toBe(1)
    const recheck = gateway.recheck(() => true)
    answers[1]?.({ filter: { n: 2 } })
    await recheck
    answers[0]?.({ filter: { n: 1 } })
    await client.wait('subd')
    for (const n of [1, 2]) await pubsub.channel(name).publish({ n })
    expect(await client.wait('msg')).toMatchObject({ data: { n: 2 } })
    expect(client.ofType('subd')).toHaveLength(1)
  })
})

describe('a token', () => {
  test('says who a client is; it is asked for before a permission ends, and prolongs it', async () => {
    const pubsub = bench.pubSub()
    const name = bench.fresh()
    let fresh = 0
    const { url } = await serve({
      ...openOptions(pubsub),
      token: async (token, context) =>
        token.startsWith('t') ? { user: `${context.user}+${token}` } : 401,
      authorize: ({ user }) => {
        if (user === 'nobody+t1') return { until: Date.now() + 200 }
        return user === 'nobody+t1+t2'
      },
    })
    const client = await RawClient.open(url)
    client.send({ t: 'sub', id: 1, ch: name })
    expect(await client.wait('error')).toMatchObject({ code: 'PUBSUB_FORBIDDEN' })
    client.send({ t: 'token', token: 't1' })
    // Behind a token that is still looked at, frames wait.
    client.send({ t: 'sub', id: 2, ch: name })
    await client.wait('subd')
    await client.wait('token')
    client.send({ t: 'token', token: `t${++fresh + 1}` })
    client.send({ t: 'ping' })
    await client.wait('pong')
    await pubsub.channel(name).publish('still there')
    await client.wait('msg')
    expect(client.ofType('error')).toHaveLength(1)
  })

  test('that is no good closes the connection', async () => {
    const pubsub = bench.pubSub()
    const { url } = await serve({ ...openOptions(pubsub), token: () => 401 as const })
    const client = await RawClient.open(url)
    client.send({ t: 'token', token: 'stolen' })
    expect(await client.waitClosed()).toMatchObject({ code: 4401 })
  })
})
