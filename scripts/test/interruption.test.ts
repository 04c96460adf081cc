import { describe, expect, it } from 'vitest'
import { Interruption } from '../run/interruption.mjs'

function received(interruption: Interruption): string[] {
  const signals: string[] = []
  interruption.forwardTo((signal) => signals.push(signal))
  return signals
}

describe('Interruption', () => {
  it('passes one key press on once, although npm repeats it', () => {
    const interruption = new Interruption(Number.POSITIVE_INFINITY)
    const signals = received(interruption)
    interruption.interrupt('SIGINT')
    interruption.interrupt('SIGINT')
    expect(signals).toEqual(['SIGINT'])
  })

  it('passes a later signal on again, and exits with the code of the first', () => {
    const interruption = new Interruption(0)
    const signals = received(interruption)
    interruption.interrupt('SIGINT')
    interruption.interrupt('SIGTERM')
    expect(signals).toEqual(['SIGINT', 'SIGTERM'])
    expect(interruption.exitCode).toBe(130)
  })

  it('lets nothing start after a signal', () => {
    const interruption = new Interruption()
    interruption.throwIfInterrupted()
    interruption.interrupt('SIGTERM')
    expect(() => interruption.throwIfInterrupted()).toThrow('Interrupted by SIGTERM.')
  })
})
