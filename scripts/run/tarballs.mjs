import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { runNode } from './child.mjs'
import { consume } from './consumer.mjs'
import { CommandError } from './errors.mjs'
import { pnpm } from './pnpm.mjs'
import { slots } from './slots.mjs'
import { packagesInOrder, root } from './workspace.mjs'

/** @typedef {{ passed: number, failed: number }} Tally */

/** What npm would be given, packed once into a temporary folder and checked from there. */
export class Tarballs {
  #folder = mkdtempSync(join(tmpdir(), 'howdah-packed-'))
  #packages = packagesInOrder().filter(({ manifest }) => !manifest.private)
  /** @type {Promise<void> | undefined} */
  #packing

  /** Whether each tarball's manifest and files agree. */
  publint() {
    return this.#each((one) =>
      runNode(join(root, 'node_modules/publint/src/cli.js'), ['run', one.tarball, '--strict'], {
        capture: true,
      }),
    )
  }

  /** Whether TypeScript finds the right declarations from ESM and from CommonJS. */
  attw() {
    const attw = join(root, 'node_modules/@arethetypeswrong/cli/dist/index.js')
    return this.#each((one) =>
      runNode(attw, [one.tarball, '--profile', 'node16', '--format', 'ascii', '--no-color'], {
        capture: true,
      }),
    )
  }

  /** Whether each package works in an empty project of its own, without its optional peers. */
  consumed() {
    return this.#each(async (one, all) => {
      const project = join(this.#folder, one.folder.slice(root.length + 1))
      try {
        await consume(one, all, project)
        return { code: 0, output: sizes(one.folder) }
      } catch (error) {
        if (!(error instanceof CommandError)) throw error
        return { code: 1, output: error.message }
      }
    })
  }

  remove() {
    rmSync(this.#folder, { recursive: true, force: true })
  }

  /**
   * @param {(one: Packed, all: Map<string, Packed>) => Promise<{ code: number, output: string }>} look
   * @returns {Promise<boolean>}
   */
  async #each(look) {
    this.#packing ??= this.#pack()
    await this.#packing
    const all = new Map(
      this.#packages.map((one) => [one.name, { ...one, tarball: this.#tarball(one) }]),
    )
    const limit = slots()
    const results = await Promise.all(
      [...all.values()].map((one) => limit(async () => ({ one, ...(await look(one, all)) }))),
    )
    for (const { one, code, output } of results) {
      // A tool that is content has nothing to say, except in one line.
      const text = output.trim()
      const shown = code !== 0 || !text.includes('\n') ? `  ${text}` : ''
      process.stdout.write(`${code === 0 ? 'ok  ' : 'FAIL'} ${one.name}${shown}\n`)
    }
    return results.every(({ code }) => code === 0)
  }

  async #pack() {
    const args = [
      '--recursive',
      '--filter',
      './packages/*',
      'pack',
      '--pack-destination',
      this.#folder,
    ]
    const { code, output } = await pnpm(args, { capture: true })
    const missing = this.#packages.filter((one) => !existsSync(this.#tarball(one)))
    if (code !== 0 || missing.length > 0) throw new CommandError(`pnpm pack failed.\n${output}`)
  }

  /** @param {import('./workspace.mjs').Package} one */
  #tarball({ name, manifest }) {
    return join(this.#folder, `${name.replace('@', '').replace('/', '-')}-${manifest.version}.tgz`)
  }
}

/** @typedef {import('./workspace.mjs').Package & { tarball: string }} Packed */

/** @param {string} folder */
function sizes(folder) {
  const source = readFileSync(join(folder, 'dist/index.js'))
  const kilobytes = (/** @type {number} */ bytes) => `${(bytes / 1000).toFixed(1)} kB`
  return `index.js ${kilobytes(source.length)}, ${kilobytes(gzipSync(source).length)} gzipped`
}
