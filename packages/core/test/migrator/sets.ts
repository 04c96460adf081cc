import type { MigrationSet } from '../../src/index.js'

/** Three steps that make, change and fill. */
export const notes: MigrationSet = {
  package: 'notes',
  migrations: [
    {
      version: 1,
      name: 'create-note',
      up: (s) => [
        `create table ${s}.note (id bigint generated always as identity primary key, body text not null)`,
      ],
      down: (s) => [`drop table ${s}.note`],
    },
    {
      version: 2,
      name: 'index-body',
      up: (s) => [
        `create index note_body on ${s}.note (body)`,
        `create function ${s}.count_notes() returns bigint language sql as $$ select count(*) from ${s}.note $$ -- all of them`,
      ],
      down: (s) => [`drop function ${s}.count_notes()`, `drop index ${s}.note_body`],
    },
    {
      version: 3,
      name: 'add-author',
      up: (s) => [
        `alter table ${s}.note add column author text default 'nobody', add check (author <> '')`,
      ],
      down: (s) => [`alter table ${s}.note drop column author`],
    },
  ],
}

export const tags: MigrationSet = {
  package: 'tags',
  migrations: [
    {
      version: 1,
      name: 'create-tag',
      up: (s) => [
        `create type ${s}.colour as enum ('red', 'green')`,
        `create table ${s}.tag (name text primary key, colour ${s}.colour)`,
      ],
      down: (s) => [`drop table ${s}.tag`, `drop type ${s}.colour`],
    },
    {
      version: 2,
      name: 'add-view',
      up: (s) => [`create view ${s}.red_tag as select name from ${s}.tag where colour = 'red'`],
      down: (s) => [`drop view ${s}.red_tag`],
    },
  ],
}

/** The package as it was when it had only its first steps. */
export function upTo(set: MigrationSet, version: number): MigrationSet {
  return { package: set.package, migrations: set.migrations.slice(0, version) }
}
