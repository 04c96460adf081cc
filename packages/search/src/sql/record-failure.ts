/** How many failures of an index's triggers are kept. */
const KEPT = 100

/** A block, for the handler of an exception, that notes it as what a trigger of the index could not do, and keeps even a failure of that to itself. */
export function recordFailure(schema: string, index: number): string {
  return `begin
    insert into ${schema}.search_error (index_id, code, message)
    select ${index}, sqlstate, left(sqlerrm, 1000)
    where (select count(*) from (
      select from ${schema}.search_error where index_id = ${index} limit ${KEPT}) known) < ${KEPT};
  exception when others then
    null;
  end;`
}
