import { waitFor } from '@howdah/testkit'
import { expect, test } from 'vitest'

test('waitFor() returns the first truthy value, passing over errors', async () => {
  let calls = 0
  const value = await waitFor(
    () => {
      calls++
      if (calls === 1) throw new Error('not yet')
      return calls === 3 && { calls }
    },
    { interval: 1 },
  )
  expect(value).toEqual({ calls: 3 })
})

test('waitFor() gives up with what was waited for and the last error', async () => {
  const waiting = waitFor(() => Promise.reject(new Error('still not')), {
    timeout: '20ms',
    message: 'the impossible',
  })
  await expect(waiting).rejects.toMatchObject({
    code: 'TESTKIT_TIMEOUT',
    message: expect.stringContaining('the impossible'),
    cause: expect.objectContaining({ message: 'still not' }),
  })
})
