import type { Request } from 'express'

/** Reads a form field as one trimmed text, empty where it is missing. PostgreSQL's text holds no NUL. */
export function fieldOf(req: Request, name: string): string {
  return oneText((req.body as Record<string, unknown> | undefined)?.[name])
}

/** Reads a parameter of the address likewise. */
export function paramOf(req: Request, name: string): string {
  return oneText(req.query[name])
}

/** Reads a parameter that may be given several times. */
export function paramsOf(req: Request, name: string): string[] {
  return [req.query[name]]
    .flat()
    .map(oneText)
    .filter((text) => text !== '')
}

function oneText(value: unknown): string {
  return typeof value === 'string' ? value.replaceAll('\0', '').trim() : ''
}
