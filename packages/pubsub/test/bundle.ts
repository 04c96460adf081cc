import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'

/** The client as a page would load it, minified, and the files that are in it. */
export async function bundleClient(): Promise<{ text: string; files: string[] }> {
  // tsup brings it along.
  const fromTsup = createRequire(createRequire(import.meta.url).resolve('tsup'))
  const { build } = fromTsup('esbuild') as {
    build(options: object): Promise<{
      outputFiles: { text: string }[]
      metafile: { inputs: Record<string, unknown> }
    }>
  }
  const { outputFiles, metafile } = await build({
    entryPoints: [fileURLToPath(new URL('../src/adapters/browser.ts', import.meta.url))],
    bundle: true,
    minify: true,
    write: false,
    metafile: true,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
  })
  const files = Object.keys(metafile.inputs).map((file) => file.replace(/^.*\/src\//, ''))
  return { text: outputFiles[0]?.text ?? '', files: files.sort() }
}
