import { type PostgresOptions, startPgBouncer, startPostgres, startProxy } from '@howdah/testkit'
import { expect, test } from 'vitest'

test.each<[string, unknown]>([
  ['an unknown option', { majors: 15 }],
  ['an unknown provider', { provider: 'docker' }],
  ['a major we do not support', { major: 14 }],
  ['a major that is text', { major: '15' }],
  ['a url without its provider', { url: 'postgres://localhost/db' }],
  ['the url provider without a url', { provider: 'url' }],
  ['a url of something else', { provider: 'url', url: 'mysql://localhost/db' }],
  ['a url that is none', { provider: 'url', url: 'localhost' }],
  [
    'settings for a server that runs already',
    { provider: 'url', url: 'postgres://h/d', settings: { work_mem: 1 } },
  ],
  [
    'a folder for a server that runs already',
    { provider: 'url', url: 'postgres://h/d', dataDir: '/x' },
  ],
  ['a port that is none', { port: 65_536 }],
  ['a port for a server that runs already', { provider: 'url', url: 'postgres://h/d', port: 1 }],
  ['a setting with a line break', { settings: { work_mem: "1'\nfsync = on" } }],
  ['a setting whose name is a statement', { settings: { 'a = 1; b': 1 } }],
  ['a template that is no function', { template: 'create table' }],
  ['a role without a password', { role: { name: 'app' } }],
  ['a role without a name', { role: { name: '', password: 'x' } }],
  ['a role that is null', { role: null }],
])('startPostgres() refuses %s', async (_what, options) => {
  await expect(startPostgres(options as PostgresOptions)).rejects.toMatchObject({
    code: 'TESTKIT_INVALID_OPTION',
    message: expect.stringMatching(/\.$/),
  })
})

test('startPostgres() says which package the testcontainers provider needs', async () => {
  await expect(startPostgres({ provider: 'testcontainers' })).rejects.toMatchObject({
    code: 'TESTKIT_MISSING_PEER',
    message: expect.stringContaining('npm install --save-dev @testcontainers/postgresql'),
  })
})

test('startProxy() refuses a target that cannot be one', async () => {
  for (const target of [
    { host: '', port: 1 },
    { host: 'h', port: 0 },
    { host: 'h', port: 65_536 },
  ]) {
    await expect(startProxy(target)).rejects.toMatchObject({ code: 'TESTKIT_INVALID_OPTION' })
  }
})

test('startPgBouncer() refuses unknown modes and settings that break out of their line', async () => {
  const url = 'postgres://u:p@127.0.0.1:1/d'
  const broken = [
    { url, poolMode: 'statement' },
    { url, poolMode: 'session', settings: { pool_size: '1\nauth_type = any' } },
    { url: 'http://x', poolMode: 'session' },
  ]
  for (const options of broken) {
    await expect(startPgBouncer(options as never)).rejects.toMatchObject({
      code: 'TESTKIT_INVALID_OPTION',
    })
  }
})
