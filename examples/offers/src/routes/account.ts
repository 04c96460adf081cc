import { type Request, type Response, Router } from 'express'
import type { Board } from '../board.js'
import { authenticate, register } from '../domain/members.js'
import { fieldOf } from '../http/input.js'
import { pageOf, send } from '../http/page.js'
import { logIn, logOut } from '../http/session.js'
import { loginPage, registerPage } from '../views/account.js'
import { EMPTY_FORM, type Problems } from '../views/forms.js'

/** Registering, logging in and out. */
export function accountRoutes({ pool }: Board): Router {
  const router = Router()

  router.get('/login', (req, res) => send(res, loginPage(pageOf(req, res), EMPTY_FORM)))

  router.post('/login', async (req, res) => {
    const email = fieldOf(req, 'email')
    const member = await authenticate(pool, email, passwordOf(req))
    if (member === undefined) {
      const problems = { password: 'There is no account with this e-mail and password.' }
      send(res.status(422), loginPage(pageOf(req, res), { values: { email }, problems }))
      return
    }
    await logIn(req, member.id)
    res.redirect(303, '/')
  })

  router.get('/register', (req, res) => send(res, registerPage(pageOf(req, res), EMPTY_FORM)))

  router.post('/register', async (req, res) => {
    const form = {
      name: fieldOf(req, 'name'),
      email: fieldOf(req, 'email'),
      password: passwordOf(req),
    }
    const problems = registrationProblems(form)
    if (Object.keys(problems).length > 0) return again(req, res, problems)
    const member = await register(pool, form)
    if (member === undefined)
      return again(req, res, { email: 'This e-mail has an account already.' })
    await logIn(req, member.id)
    res.redirect(303, '/')
  })

  router.post('/logout', async (req, res) => {
    await logOut(req)
    res.clearCookie('offers.sid').redirect(303, '/')
  })

  return router
}

function again(req: Request, res: Response, problems: Problems): void {
  const values = { name: fieldOf(req, 'name'), email: fieldOf(req, 'email') }
  send(res.status(422), registerPage(pageOf(req, res), { values, problems }))
}

/** A password is taken as typed, spaces included. */
function passwordOf(req: Request): string {
  const value: unknown = req.body?.password
  return typeof value === 'string' ? value : ''
}

function registrationProblems(form: { name: string; email: string; password: string }): Problems {
  const problems: Record<string, string> = {}
  if (form.name === '' || form.name.length > 60)
    problems['name'] = 'Give a name of up to 60 characters.'
  if (!/^[^\s@]{1,100}@[^\s@]{1,100}$/.test(form.email))
    problems['email'] = 'Give an e-mail address.'
  if (form.password.length < 10 || form.password.length > 200) {
    problems['password'] = 'Choose a password of 10 to 200 characters.'
  }
  return problems
}
