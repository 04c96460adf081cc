import { join } from 'node:path'
import { CommandError } from './errors.mjs'
import { withLock } from './lock.mjs'
import { pnpm } from './pnpm.mjs'
import { hashOf, readStamp, removeStamp, writeStamp } from './stamp.mjs'
import { root, workspaceFolders } from './workspace.mjs'

const STAMP = 'install'

/** Installs the dependencies when they are missing or the lockfile or a manifest changed. */
export async function install() {
  if (readStamp(STAMP) === wantedHash()) return
  await withLock(async () => {
    const wanted = wantedHash()
    if (readStamp(STAMP) === wanted) return
    removeStamp(STAMP)
    process.stderr.write('Installing dependencies.\n')
    // Each flag undoes a surprise: NODE_ENV=production would leave the development dependencies
    // out, and a node_modules made by another tool would make pnpm ask before replacing it.
    const { code } = await pnpm(
      [
        'install',
        '--frozen-lockfile',
        '--prefer-offline',
        '--prod=false',
        '--config.confirmModulesPurge=false',
      ],
      { quiet: true },
    )
    if (code !== 0) {
      throw new CommandError(
        `pnpm could not install the dependencies (exit code ${code}): see its message above. ` +
          'The first run needs the npm registry; later ones do not.',
      )
    }
    writeStamp(STAMP, wanted)
  })
}

function wantedHash() {
  const manifests = workspaceFolders().map((folder) => join(root, folder, 'package.json'))
  const shared = ['pnpm-lock.yaml', 'pnpm-workspace.yaml', '.npmrc'].map((name) => join(root, name))
  // Some dependencies are binaries for one platform.
  return hashOf([...manifests, ...shared], [process.platform, process.arch])
}
