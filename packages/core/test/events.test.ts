import fc from 'fast-check'
import { expect, test, vi } from 'vitest'
import { Emitter } from '../src/index.js'

interface Events {
  value: [n: number]
  error: [error: unknown]
}

test('emit() calls the listeners of that event in the order they were added', () => {
  fc.assert(
    fc.property(fc.array(fc.boolean(), { maxLength: 20 }), (keep) => {
      const emitter = new Emitter<Events & Record<'__proto__', []>>()
      const calls: number[] = []
      const offs = keep.map((_, i) => emitter.on('value', (n) => calls.push(n + i)))
      keep.forEach((kept, i) => {
        if (!kept) offs[i]?.()
        if (!kept) offs[i]?.()
      })
      const expected = keep.flatMap((kept, i) => (kept ? [i] : []))
      emitter.emit('value', 0)
      emitter.emit('__proto__')
      expect(calls).toEqual(expected)
      expect(emitter.listenerCount('value')).toBe(expected.length)
    }),
  )
})

test('once() calls back once, also when the listener emits again', () => {
  const emitter = new Emitter<Events>()
  const listener = vi.fn(() => emitter.emit('value', 2))
  emitter.once('value', listener)
  const off = emitter.once('value', () => expect.unreachable())
  off()
  emitter.emit('value', 1)
  expect(listener).toHaveBeenCalledExactlyOnceWith(1)
  expect(emitter.listenerCount('value')).toBe(0)
})

test('emit() goes on after a listener that throws, and reports it as error', () => {
  const emitter = new Emitter<Events>()
  const next = vi.fn()
  const onError = vi.fn()
  emitter.on('value', () => {
    throw new Error('of the listener')
  })
  emitter.on('value', next)
  emitter.emit('value', 1)
  emitter.on('error', onError)
  emitter.emit('value', 2)
  expect(next.mock.calls).toEqual([[1], [2]])
  expect(onError).toHaveBeenCalledExactlyOnceWith(
    expect.objectContaining({ message: 'of the listener' }),
  )
})

test('an error that nobody listens to, or whose listener throws, does not throw', () => {
  const emitter = new Emitter<Events>()
  emitter.emit('error', new Error('unheard'))
  emitter.on('error', () => {
    throw new Error('again')
  })
  emitter.emit('error', new Error('heard'))
})

test('many listeners bring no warning of a leak', () => {
  const warning = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
  const emitter = new Emitter<Events>()
  for (let i = 0; i < 50; i++) emitter.on('value', () => {})
  expect(warning).not.toHaveBeenCalled()
  warning.mockRestore()
})
