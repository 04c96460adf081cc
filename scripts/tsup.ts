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
    splitting: true,
    // tsup sets `baseUrl` for its declaration pass, which TypeScript 6 deprecates.
    dts: { compilerOptions: { ignoreDeprecations: '6.0', paths: {}, isolatedDeclarations: true } },
  })
}
