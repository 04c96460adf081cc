import { tracingChannel } from 'node:diagnostics_channel'
import { expect, test, vi } from 'vitest'
import { type TraceContext, tracer } from '../src/index.js'

const handlers = () => ({
  start: vi.fn(),
  end: vi.fn(),
  asyncStart: vi.fn(),
  asyncEnd: vi.fn(),
  error: vi.fn(),
})

test('run() costs no context where nobody subscribes', async () => {
  const context = vi.fn(() => ({ target: 'x' }))
  expect(await tracer('@howdah/core:quiet').run(context, async () => 7)).toBe(7)
  expect(context).not.toHaveBeenCalled()
})

test('run() tells subscribers of start, end, result and error', async () => {
  const { name, run, active } = tracer('@howdah/core:traced')
  const channel = tracingChannel<unknown, TraceContext>(name)
  const heard = handlers()
  expect(active).toBe(false)
  channel.subscribe(heard)
  expect(tracer(name).active).toBe(true)
  const context = (): TraceContext => ({ target: 'prices', count: 3 })
  try {
    expect(await run(context, async () => 42)).toBe(42)
    const told = expect.objectContaining({ target: 'prices', count: 3, result: 42 })
    expect(heard.start).toHaveBeenCalledOnce()
    expect(heard.asyncEnd).toHaveBeenCalledExactlyOnceWith(told, `tracing:${name}:asyncEnd`)
    expect(heard.error).not.toHaveBeenCalled()

    const error = new Error('no')
    await expect(run(context, () => Promise.reject(error))).rejects.toBe(error)
    expect(heard.error.mock.calls[0]?.[0]).toMatchObject({ target: 'prices', error })
    expect(heard.asyncEnd).toHaveBeenCalledTimes(2)
  } finally {
    channel.unsubscribe(heard)
  }
})
