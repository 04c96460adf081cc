import type { Transaction } from '@howdah/core'

/** Serialises the set-up of processes that start at once on one database. Any fixed number that nobody else uses will do. */
const SETUP_LOCK = 7_018_402_811

/**
 * Creates the application's own tables. They live in one schema of their own, beside the `howdah` schema that the packages
 * keep for themselves.
 */
export async function createTables(tx: Transaction): Promise<void> {
  await tx.query('select pg_advisory_xact_lock($1::bigint)', [SETUP_LOCK])
  await tx.query(/* sql */ `
    create schema if not exists offers_board;

    create table if not exists offers_board.member (
      id bigint generated always as identity primary key,
      email text not null unique,
      name text not null,
      password text not null,
      admin boolean not null default false,
      accepts_mail boolean not null default true
    );

    create table if not exists offers_board.institution (
      name text primary key,
      about text not null
    );

    create table if not exists offers_board.offer (
      id bigint generated always as identity primary key,
      title text not null,
      body text not null,
      institution text not null references offers_board.institution,
      category text not null,
      bonus int not null check (bonus >= 0),
      status text not null default 'active' check (status in ('active', 'expired')),
      published_at timestamptz not null default now(),
      ends_at timestamptz not null
    );
    create index if not exists offer_newest on offers_board.offer (published_at desc, id desc);

    -- Apart from the offer, so that counting a view neither rewrites its text nor touches the search index.
    create table if not exists offers_board.offer_views (
      offer_id bigint primary key references offers_board.offer,
      views int not null
    );
    create index if not exists offer_views_most on offers_board.offer_views (views desc);

    create table if not exists offers_board.follow (
      institution text not null references offers_board.institution,
      member_id bigint not null references offers_board.member,
      primary key (institution, member_id)
    );

    -- The outbox: what a mail server would have been given. One mail per offer and member, however often its job runs.
    create table if not exists offers_board.mail (
      id bigint generated always as identity primary key,
      member_id bigint not null references offers_board.member,
      offer_id bigint not null references offers_board.offer,
      subject text not null,
      sent_at timestamptz not null default now(),
      unique (member_id, offer_id)
    );
  `)
}
