#!/usr/bin/env node
import { main } from '../dist/index.js'

// Whoever reads our output may have seen enough, as `head` has.
process.stdout.on('error', (error) => {
  if (error.code !== 'EPIPE') throw error
  process.exit(0)
})
process.exitCode = await main(process.argv.slice(2))
