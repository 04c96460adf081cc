import { literal, type Migration } from '@howdah/core'
import { dropFunction } from './fragments.js'
import { watchFunctions } from './functions/watch.js'
import { watchQueryFunctions } from './functions/watch-query.js'
import { watchRowsFunctions } from './functions/watch-rows.js'
import { watchTriggerFunctions } from './functions/watch-trigger.js'

/** Watches: functions that put triggers on tables of the application, whose changes then are a stream. Nothing is stored. */
export const watch: Migration = {
  version: 6,
  name: 'watch',
  up: (s) => functions(s),
  // A watch that is still installed would make each write to its table fail.
  down: (s) => [removeAll(s), ...functions(s).toReversed().flatMap(dropFunction)],
}

function functions(s: string): string[] {
  return [
    ...watchRowsFunctions(s),
    ...watchQueryFunctions(s),
    ...watchTriggerFunctions(s),
    ...watchFunctions(s),
  ]
}

function removeAll(s: string): string {
  return /* sql */ `do $body$
declare
  gone record;
begin
  for gone in
    select substr(obj_description(p.oid, 'pg_proc'), 14)::jsonb ->> 'stream' as stream from pg_proc p
    where p.pronamespace = ${literal(s)}::regnamespace and obj_description(p.oid, 'pg_proc') like 'Howdah watch {%'
  loop
    perform ${s}.watch_remove(gone.stream);
  end loop;
end $body$`
}
