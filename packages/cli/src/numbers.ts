import { InvalidArgumentError } from 'commander'

/** Reads a whole number from 1 to `most`. */
export function limit(most: number): (text: string) => number {
  return (text) => {
    const value = /^\d{1,9}$/.test(text) ? Number(text) : 0
    if (value >= 1 && value <= most) return value
    throw new InvalidArgumentError(`It must be a whole number from 1 to ${most}.`)
  }
}
