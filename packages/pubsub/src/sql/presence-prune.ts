import { defineStatement, type Statement } from '@howdah/core'

/**
 * Deletes the rows of hubs that live no more. The dead are found first and compared by name: a row that its process moves to a new hub
 * meanwhile is none of theirs any longer. Rows that another process deletes or moves at this moment are left to it.
 */
export const presencePrune: (schema: string) => Statement = defineStatement(
  'presence.prune',
  (s) => /* sql */ `
    delete from ${s}.presence_member where token in (
      select token from ${s}.presence_member
      where hub = any(array(
        select m.hub from (select distinct hub from ${s}.presence_member) m
        where m.hub not in (select identity from ${s}.hub_alive())
      ))
      for update skip locked
    )`,
  () => [],
)
