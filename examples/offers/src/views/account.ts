import { type FormState, field, problemSummary } from './forms.js'
import { type Html, html } from './html.js'
import { layout } from './layout.js'
import type { Page } from './page.js'
import { csrfField } from './parts.js'

export function loginPage(page: Page, form: FormState): Html {
  return layout(
    page,
    'Log in',
    html`<div class="narrow panel">
      <h1>Log in</h1>
      ${problemSummary(form)}
      <form method="post" action="/login" class="stack">
        ${csrfField(page)}
        ${field(form, { name: 'email', label: 'E-mail', control: emailInput })}
        ${field(form, {
          name: 'password',
          label: 'Password',
          control: (attributes) =>
            html`<input ${attributes} type="password" autocomplete="current-password" required>`,
        })}
        <button>Log in</button>
      </form>
      <p>The demo accounts and their passwords are printed where the application was started.
        Or <a href="/register">register</a>.</p>
    </div>`,
  )
}

export function registerPage(page: Page, form: FormState): Html {
  return layout(
    page,
    'Register',
    html`<div class="narrow panel">
      <h1>Register</h1>
      ${problemSummary(form)}
      <form method="post" action="/register" class="stack">
        ${csrfField(page)}
        ${field(form, {
          name: 'name',
          label: 'Name',
          control: (attributes, value) =>
            html`<input ${attributes} value="${value}" autocomplete="name" maxlength="60" required>`,
        })}
        ${field(form, { name: 'email', label: 'E-mail', control: emailInput })}
        ${field(form, {
          name: 'password',
          label: 'Password',
          hint: 'At least 10 characters.',
          control: (attributes) =>
            html`<input ${attributes} type="password" autocomplete="new-password" minlength="10" required>`,
        })}
        <button>Register</button>
      </form>
      <p>Have an account? <a href="/login">Log in</a>.</p>
    </div>`,
  )
}

function emailInput(attributes: Html, value: string): Html {
  return html`<input ${attributes} type="email" value="${value}" autocomplete="email" required>`
}
