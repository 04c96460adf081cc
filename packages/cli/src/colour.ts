import { styleText } from 'node:util'

/** Colours by what they mean here. */
export type Tone = 'bad' | 'doubtful' | 'good' | 'quiet' | 'loud'

const STYLES = {
  bad: 'red',
  doubtful: 'yellow',
  good: 'green',
  quiet: 'dim',
  loud: 'bold',
} as const

/** Colours a text, where the standard output is a terminal and nobody has asked for none (https://no-color.org). */
export function tone(kind: Tone, text: string): string {
  return isColoured() ? styleText(STYLES[kind], text) : text
}

function isColoured(): boolean {
  const { NO_COLOR, TERM } = process.env
  return process.stdout.isTTY === true && !NO_COLOR && TERM !== 'dumb'
}
