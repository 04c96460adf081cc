/** How long the smoke run waits for anything. */
const PATIENCE_MS = 30_000

/** What a page holds that the smoke run reads. */
export interface Answer {
  readonly status: number
  readonly location: string | null
  readonly text: string
}

/** One user: follows no redirects, keeps cookies, and fills in forms with the token of the page they are on. */
export class Client {
  readonly #base: string
  #cookie = ''

  constructor(base: string) {
    this.#base = base
  }

  get cookie(): string {
    return this.#cookie
  }

  async get(path: string, signal = AbortSignal.timeout(PATIENCE_MS)): Promise<Response> {
    const response = await fetch(this.#base + path, {
      headers: { cookie: this.#cookie },
      redirect: 'manual',
      signal,
    })
    this.#keepCookie(response)
    return response
  }

  async page(path: string): Promise<string> {
    const response = await this.get(path)
    if (response.status !== 200) throw new Error(`${path} answered ${response.status}`)
    return response.text()
  }

  /** Loads the page that has the form, and sends it. */
  async submit(onPage: string, action: string, fields: Record<string, string>): Promise<Answer> {
    const csrf = /name="csrf" value="([^"]+)"/.exec(await this.page(onPage))?.[1] ?? ''
    return this.post(action, { csrf, ...fields })
  }

  async post(action: string, fields: Record<string, string>): Promise<Answer> {
    const response = await fetch(this.#base + action, {
      method: 'POST',
      headers: { cookie: this.#cookie },
      body: new URLSearchParams(fields),
      redirect: 'manual',
      signal: AbortSignal.timeout(PATIENCE_MS),
    })
    this.#keepCookie(response)
    return {
      status: response.status,
      location: response.headers.get('location'),
      text: await response.text(),
    }
  }

  async logIn(email: string, password: string): Promise<void> {
    const { status } = await this.submit('/login', '/login', { email, password })
    if (status !== 303) throw new Error(`logging in as ${email} answered ${status}`)
  }

  #keepCookie(response: Response): void {
    for (const cookie of response.headers.getSetCookie()) {
      this.#cookie = cookie.split(';')[0] ?? ''
    }
  }
}
