import { type Tracer, tracer } from '@howdah/core'

type Operation =
  | 'get'
  | 'set'
  | 'add'
  | 'replace'
  | 'delete'
  | 'touch'
  | 'increment'
  | 'compareAndSet'
  | 'getOrSet'
  | 'invalidateTags'
  | 'clear'

const OPERATIONS: readonly Operation[] = [
  'get',
  'set',
  'add',
  'replace',
  'delete',
  'touch',
  'increment',
  'compareAndSet',
  'getOrSet',
  'invalidateTags',
  'clear',
]

/** Tracing channels of the cache, one for each operation: `@howdah/cache:get` and so on. Their target is the namespace. */
export const trace: Readonly<Record<Operation, Tracer>> = Object.fromEntries(
  OPERATIONS.map((operation) => [operation, tracer(`@howdah/cache:${operation}`)]),
) as Record<Operation, Tracer>
