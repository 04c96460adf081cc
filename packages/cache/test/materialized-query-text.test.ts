import { expect, test } from 'vitest'
import { singleStatement } from '../src/materialized/query-text.js'

test.each([
  ['select 1', 'select 1'],
  ['  select 1 ; ', 'select 1'],
  ['select 1; -- the end;', 'select 1'],
  ['select 1;; /* nothing */ ;', 'select 1'],
  ['select 1 -- no; end', 'select 1 -- no; end'],
  [`select ';', "a;b", e'\\';', 'it''s;'`, `select ';', "a;b", e'\\';', 'it''s;'`],
  ['select $$;$1$$, $a$ $$; $a$', 'select $$;$1$$, $a$ $$; $a$'],
  ['select /* ; /* nested; */ ; */ 1', 'select /* ; /* nested; */ ; */ 1'],
  ['select a$1 from rate', 'select a$1 from rate'],
  [`select e'\\'; select '`, `select e'\\'; select '`],
  [`select 'back\\', 1`, `select 'back\\', 1`],
])('one statement is taken without its semicolon: %s', (sql, text) => {
  expect(singleStatement(sql)).toBe(text)
})

test.each([
  '',
  ' ; ',
  '-- nothing',
  'select 1; select 2',
  'select 1; drop table item',
  `select ';'; select 2`,
  'select /* ; */ 1; table item',
  'select $1',
  'select $1::int + $2',
  "select 'open",
  'select "open',
  'select $a$open$$',
  'select 1 /* open /* */',
  'a\0b',
  '\ud800',
])('anything else is refused: %j', (sql) => {
  expect(() => singleStatement(sql)).toThrow(
    expect.objectContaining({ code: 'CACHE_MATERIALIZED_INVALID' }),
  )
})

test('what is no text is refused', () => {
  expect(() => singleStatement(undefined)).toThrow(
    expect.objectContaining({ code: 'CACHE_MATERIALIZED_INVALID' }),
  )
})
