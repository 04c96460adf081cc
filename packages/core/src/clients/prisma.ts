import { notATransaction, type Recognise, withBuffers } from './recognise.js'

/** The `tx` that Prisma gives to the function passed to `prisma.$transaction()`. */
export interface PrismaTransactionLike {
  // biome-ignore lint/suspicious/noExplicitAny: parameters and rows are of the statement
  $queryRawUnsafe<T = unknown>(query: string, ...values: any[]): PromiseLike<T>
  readonly $connect?: undefined
}

/** Recognises Prisma's interactive transaction: the only Prisma client that cannot connect. */
export const recognisePrisma: Recognise = (handle) => {
  if (typeof handle['$queryRawUnsafe'] !== 'function') return undefined
  if (typeof handle['$connect'] === 'function') {
    throw notATransaction('a PrismaClient', 'the tx of prisma.$transaction(async (tx) => ...)')
  }
  const tx = handle as unknown as PrismaTransactionLike
  return {
    async query({ text, values = [] }) {
      return { rows: withBuffers(await tx.$queryRawUnsafe<unknown[]>(text, ...values)) }
    },
  }
}
