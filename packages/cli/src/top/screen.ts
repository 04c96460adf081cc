import type { EndSignal } from '../signals.js'
import type { Room } from './frame.js'

const ENTER = '\u001b[?1049h\u001b[?25l'
const LEAVE = '\u001b[?25h\u001b[?1049l'
const HOME = '\u001b[H'
const CLEAR_BELOW = '\u001b[0J'
const CLEAR_LINE = '\u001b[K'

/** Where frames are drawn. */
export interface Screen {
  readonly room: Room
  draw(text: string): void
  close(): void
}

/** The terminal's other screen, so that what was there is there again afterwards; where there is no terminal, frames follow one another. */
export function openScreen(signal: EndSignal): Screen {
  const { stdout, stdin } = process
  if (stdout.isTTY !== true) {
    return {
      room: { columns: Number.POSITIVE_INFINITY, rows: Number.POSITIVE_INFINITY },
      draw: (text) => void stdout.write(`${text}\n`),
      close() {},
    }
  }
  const onKey = (key: Buffer) => {
    // In raw mode Ctrl-C is a key like others.
    if (['q', '\u0003', '\u0004'].includes(String(key))) signal.end()
  }
  const reads = stdin.isTTY === true
  if (reads) {
    stdin.setRawMode(true)
    stdin.on('data', onKey)
  }
  stdout.write(ENTER)
  return {
    get room() {
      return { columns: stdout.columns, rows: stdout.rows }
    },
    draw(text) {
      // Lines are overwritten in place, for a screen that is cleared first flickers.
      const lines = text.split('\n').slice(0, stdout.rows)
      stdout.write(HOME + lines.map((line) => line + CLEAR_LINE).join('\n') + CLEAR_BELOW)
    },
    close() {
      stdout.write(LEAVE)
      if (!reads) return
      stdin.off('data', onKey)
      stdin.setRawMode(false)
      stdin.pause()
    },
  }
}
