import { defineStatement, type Statement } from '@howdah/core'

/** Reads the identity of every hub that lives and is not quiet. Looks at locks and sessions; reads no table but that of pollers. */
export const presenceAlive: (schema: string) => Statement<{ identity: string }> = defineStatement(
  'presence.alive',
  (s) => /* sql */ `select identity from ${s}.hub_alive() where not quiet`,
  () => [],
)
