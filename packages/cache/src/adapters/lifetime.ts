/** A thousand years in milliseconds: what libraries mean by `Number.MAX_SAFE_INTEGER`, and within what {@link Cache} takes. */
const LONGEST = 1000 * 365.25 * 86_400_000

/**
 * Reads a time to live as the libraries give it: any number of milliseconds, or nothing.
 *
 * @returns whole milliseconds from one on; `undefined` where the cache's own `ttl` holds; zero for an entry that is over already,
 * which a cache is not asked to keep
 */
export function lifetime(milliseconds: number | null | undefined): number | undefined {
  if (milliseconds === undefined || milliseconds === null || Number.isNaN(milliseconds)) {
    return undefined
  }
  return milliseconds <= 0 ? 0 : Math.min(Math.ceil(milliseconds), LONGEST)
}
