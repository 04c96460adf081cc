import { defineConfig, type Options } from 'tsup'

/** One build for every package: ESM and CommonJS with their own declaration files. */
export function library(options: Pick<Options, 'entry'>): ReturnType<typeof defineConfig> {
  return defineConfig({
    ...options,
    format: ['esm', 'cjs'],
    target: 'node20',
    platform: 'node',
    sourcemap: true,
    clean: true,
    // tsup splits CommonJS by a second compiler that turns import() into require() and renames classes; only packages
    // whose entries share code need that.
    splitting: Object.keys(options.entry ?? {}).length > 1,
    // tsup sets `baseUrl` for its declaration pass, which TypeScript 6 deprecates.
    dts: { compilerOptions: { ignoreDeprecations: '6.0', paths: {}, isolatedDeclarations: true } },
  })
}
