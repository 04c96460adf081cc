import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type DefaultTheme, defineConfig } from 'vitepress'
import { siteLink, slugOf } from './links.js'

const pages = fileURLToPath(new URL('..', import.meta.url))

/** An entry of the navigation, named by the page's own title unless it has a shorter one. */
function page(name: string, text?: string): DefaultTheme.SidebarItem {
  const [, title = name] = /^# (.*)$/m.exec(readFileSync(join(pages, `${name}.md`), 'utf8')) ?? []
  return { text: text ?? title.replaceAll('`', ''), link: `/${name}` }
}

const decisions = readdirSync(join(pages, 'decisions'))
  .filter((name) => /^\d/.test(name))
  .sort()
  .map((name) => page(`decisions/${name.slice(0, -3)}`))

const sidebar: DefaultTheme.SidebarItem[] = [
  { text: 'Start', items: [page('getting-started'), page('cli'), page('architecture')] },
  {
    text: 'Cache',
    items: [page('cache', 'Guide'), page('cache-materialized'), page('cache-adapters')],
  },
  { text: 'Queue', items: [page('queue', 'Guide'), page('moving-to-howdah-queue')] },
  {
    text: 'Pub/sub',
    items: [
      page('pubsub', 'Guide'),
      page('pubsub-watch'),
      page('pubsub-gateways'),
      page('pubsub-adapters'),
    ],
  },
  { text: 'Search', items: [page('search-queries')] },
  {
    text: 'Sessions',
    items: [page('session', 'Guide'), page('session-adapters'), page('moving-to-howdah-session')],
  },
  {
    text: 'Operating',
    items: [page('operations'), page('scaling'), page('security'), page('metrics')],
  },
  { text: 'Reference', items: [page('sql-api'), page('errors')] },
  { text: 'Decisions', collapsed: true, items: decisions },
]

export default defineConfig({
  title: 'Howdah',
  description: 'Cache, sessions, job queues, pub/sub and search in the PostgreSQL you already run.',
  // GitHub shows README.md of a folder; a site looks for index.html.
  rewrites: { 'README.md': 'index.md', ':folder/README.md': ':folder/index.md' },
  head: [['link', { rel: 'icon', href: 'data:,' }]],
  markdown: {
    // A page is Markdown and no HTML: `<name>` in a sentence is what it says.
    html: false,
    anchor: { slugify: slugOf },
    headers: { slugify: slugOf },
    toc: { slugify: slugOf },
    config(md) {
      const open =
        md.renderer.rules['link_open'] ??
        ((tokens, at, options, _env, self) => self.renderToken(tokens, at, options))
      // Before VitePress' own rule, which resolves links between pages and checks them.
      md.renderer.rules['link_open'] = (tokens, at, options, env, self) => {
        const token = tokens[at]
        const href = token?.attrGet('href')
        if (token && href) token.attrSet('href', siteLink(href, env.realPath ?? env.path))
        return open(tokens, at, options, env, self)
      }
    },
  },
  themeConfig: {
    sidebar,
    nav: [
      { text: 'Start', link: '/getting-started' },
      { text: 'Operations', link: '/operations' },
      { text: 'Errors', link: '/errors' },
    ],
    outline: [2, 3],
    search: { provider: 'local' },
    socialLinks: [{ icon: 'github', link: 'https://github.com/howdah/howdah' }],
  },
})
