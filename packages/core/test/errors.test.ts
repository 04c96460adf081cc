import { expect, test } from 'vitest'
import { HowdahError, isHowdahError, sqlState } from '../src/index.js'

test('isHowdahError() knows the error of another copy of the package, by its code', async () => {
  const copy = (await import(
    '../src/errors.js?copy' as string
  )) as typeof import('../src/errors.js')
  const error = new copy.HowdahError('CORE_CLOSED', 'closed')
  expect(error).not.toBeInstanceOf(HowdahError)
  expect(isHowdahError(error)).toBe(true)
  expect(isHowdahError(error, 'CORE_CLOSED')).toBe(true)
  expect(isHowdahError(error, 'CORE_OVERLOADED')).toBe(false)
})

test.each([undefined, null, 5, 'CORE_CLOSED', {}, new Error('x'), { code: 'CORE_CLOSED' }])(
  'isHowdahError() refuses %s',
  (value) => expect(isHowdahError(value)).toBe(false),
)

test('a HowdahError keeps its cause and shows no brand', () => {
  const cause = new Error('of the driver')
  const error = new HowdahError('CORE_CLOSED', 'Make another.', { cause })
  expect([error.name, error.code, error.message, error.cause]).toEqual([
    'HowdahError',
    'CORE_CLOSED',
    'Make another.',
    cause,
  ])
  expect(Object.keys(error)).not.toContain('Symbol(howdah.error)')
  expect(Reflect.ownKeys(JSON.parse(JSON.stringify(error)))).toEqual(['name', 'code'])
})

const pg = Object.assign(new Error('duplicate key'), { code: '23505' })
const prisma = { code: 'P2010', clientVersion: '7.10.0' }
const circular: { cause?: unknown } = {}
circular.cause = circular

test.each<[string, unknown, string | undefined]>([
  ['pg', pg, '23505'],
  [
    'pg inside a HowdahError',
    new HowdahError('CORE_MIGRATION_FAILED', 'x', { cause: pg }),
    '23505',
  ],
  ['Drizzle', Object.assign(new Error('Failed query'), { cause: pg }), '23505'],
  ['plpgsql', { code: 'P0001' }, 'P0001'],
  ['an own class of errors', { code: 'AB123' }, 'AB123'],
  [
    'Prisma',
    { ...prisma, meta: { driverAdapterError: { cause: { originalCode: '22012' } } } },
    '22012',
  ],
  ['Prisma with engines', { ...prisma, meta: { code: '23505', message: 'x' } }, '23505'],
  ['Prisma without the server', { ...prisma, meta: null }, undefined],
  ['a broken pipe', { code: 'EPIPE' }, undefined],
  ['a refused connection', { code: 'ECONNREFUSED' }, undefined],
  ['a number', { code: 23505 }, undefined],
  ['a circular chain', circular, undefined],
  ['nothing', undefined, undefined],
  ['null', null, undefined],
  ['text', '23505', undefined],
])('sqlState() reads the error of %s', (_, error, state) => {
  expect(sqlState(error)).toBe(state)
})
