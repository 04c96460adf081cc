/** Colours by what they mean here. */
export type Tone = 'bad' | 'doubtful' | 'good' | 'quiet' | 'loud'

/** What begins each, and what ends it. */
const CODES: Readonly<Record<Tone, readonly [on: number, off: number]>> = {
  bad: [31, 39],
  doubtful: [33, 39],
  good: [32, 39],
  quiet: [2, 22],
  loud: [1, 22],
}

/** Colours a text, where the standard output is a terminal and nobody has asked for none (https://no-color.org). */
export function tone(kind: Tone, text: string): string {
  if (!isColoured()) return text
  const [on, off] = CODES[kind]
  return `\u001b[${on}m${text}\u001b[${off}m`
}

function isColoured(): boolean {
  const { NO_COLOR, TERM } = process.env
  return process.stdout.isTTY === true && !NO_COLOR && TERM !== 'dumb'
}
