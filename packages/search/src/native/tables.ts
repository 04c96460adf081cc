import { literal } from '@howdah/core'
import { eachPlane, type Generation } from './generation.js'

/** Statements that make the tables of a generation, empty. */
export function createTables({ schema, names, definition }: Generation): string[] {
  const documentColumns = `number bigint not null, key text collate "C" not null, document tsvector not null,
      length double precision not null, filled boolean not null, problem text`
  return [
    `create sequence ${names.number}`,
    // Its last value is the last block of slots that was given out.
    `create sequence ${names.block} minvalue -1 start -1`,
    `create table ${names.hot} (${documentColumns}, primary key (number))`,
    `create index ${names.indexOn('hot_key')} on ${names.hot} (key)`,
    `create index ${names.indexOn('hot_words')} on ${names.hot} using gin (document)`,
    `create index ${names.indexOn('hot_problem')} on ${names.hot} (key) where problem is not null`,
    `create table ${names.document} (slot bigint primary key, ${documentColumns})`,
    `create unique index ${names.indexOn('document_number')} on ${names.document} (number)`,
    `create index ${names.indexOn('document_key')} on ${names.document} (key)`,
    `create index ${names.indexOn('document_problem')} on ${names.document} (key) where problem is not null`,
    `create table ${names.gone} (number bigint primary key)`,
    `create table ${names.missed} (key text collate "C" not null)`,
    `create index ${names.indexOn('missed_key')} on ${names.missed} (key)`,
    `create table ${names.cleared} (below bigint not null)`,
    `create table ${names.tally} (
      at bigint not null, documents bigint not null, length double precision not null,
      tenant text collate "C" not null default '', folded boolean not null default false
    )`,
    ...(definition.tenant === undefined
      ? []
      : [
          `create index ${names.indexOn('tally_tenant')} on ${names.tally} (tenant)`,
          `create index ${names.indexOn('tally_fresh')} on ${names.tally} (at) where not folded`,
        ]),
    `create table ${names.segment} (
      segment int generated always as identity primary key,
      state text not null check (state in ('building', 'ready', 'leaving')),
      base bigint not null, size int not null,
      newest bigint not null, mean double precision not null,
      live int not null, dead varbit,
      upto text collate "C" not null default '', parts int[]
    )`,
    `create table ${names.posting} (
      segment int not null, term text collate "C" not null, n int not null,
      slots int[], levels smallint[], ${eachPlane((plane) => `plane_${plane} varbit`)}, held varbit,
      primary key (segment, term)
    ) with (toast_tuple_target = 8160)`,
    // Counting reads hundreds of these, and unpacking one takes ten times as long as counting its bits.
    `alter table ${names.posting} alter column held set storage external`,
    `create table ${names.buried} (
      segment int not null, term text collate "C" not null, n int not null, primary key (segment, term)
    )`,
    // Filled documents whose row was written meanwhile.
    `create view ${names.stray} as
      select d.number from ${names.missed} m
      cross join lateral (
        select number, filled from ${names.document} d where d.key = m.key
        union all select number, filled from ${names.hot} h where h.key = m.key
      ) d
      where d.filled and not exists (select from ${names.gone} g where g.number = d.number)`,
    grantFigures(schema, [names.tally, names.cleared, names.hot, names.segment, names.posting]),
  ]
}

/** Lets the owner of Howdah's own tables, as whom `search_figures` runs, count what another role has made. */
function grantFigures(schema: string, tables: readonly string[]): string {
  const body = `
begin
  execute format('grant select on %s to %s', ${literal(tables.join(', '))},
    (select c.relowner::regrole from pg_class c where c.oid = ${literal(`${schema}.search_index`)}::regclass));
end`
  return `do ${literal(body)}`
}

/** Statements that remove the tables and functions of a generation. */
export function dropGeneration({ names }: Pick<Generation, 'names'>): string[] {
  const { hot, gone, missed, stray, cleared, tally, document, segment, posting, buried } = names
  return [
    ...Object.values(names.functions).map((name) => `drop routine if exists ${name}`),
    `drop view if exists ${stray}`,
    `drop table if exists ${[hot, gone, missed, cleared, tally, document, segment, posting, buried].join(', ')}`,
    `drop sequence if exists ${names.number}, ${names.block}`,
  ]
}

/** The highest number of a document that a truncation took away. */
export function clearedOf({ names }: Pick<Generation, 'names'>): string {
  return `coalesce((select max(below) from ${names.cleared}), 0)`
}
