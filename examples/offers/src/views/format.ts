import { type Html, html } from './html.js'

const money = new Intl.NumberFormat('en', {
  style: 'currency',
  currency: 'USD',
  maximumFractionDigits: 0,
})
const whole = new Intl.NumberFormat('en')
const relative = new Intl.RelativeTimeFormat('en', { numeric: 'auto' })
const UNITS = [
  ['day', 86_400_000],
  ['hour', 3_600_000],
  ['minute', 60_000],
  ['second', 1000],
] as const

export const formatMoney = (dollars: number): string => money.format(dollars)
export const formatCount = (count: number): string => whole.format(count)

/** Writes a time as seen from now, such as "in 3 days"; the exact one is in its title. */
export function timeFromNow(at: number): Html {
  const distance = at - Date.now()
  const [unit, length] =
    UNITS.find(([, ms]) => Math.abs(distance) >= ms) ?? (['second', 1000] as const)
  const iso = new Date(at).toISOString()
  const exact = `${iso.slice(0, 16).replace('T', ' ')} UTC`
  const text = relative.format(Math.round(distance / length), unit)
  return html`<time datetime="${iso}" title="${exact}">${text}</time>`
}
