// The one entry point: `node scripts/run.mjs <command> [arguments]`. It needs nothing but Node and npm.
// The version is looked at before anything else is loaded, so that an old Node says so in one sentence.
const major = Number(process.versions.node.split('.')[0])
if (major < 20) {
  process.stderr.write(
    `Howdah needs Node 20 or newer and this is Node ${process.versions.node}: install a newer Node and run the command again.\n`,
  )
  process.exit(1)
}

void import('./run/main.mjs').then(({ main }) => main(process.argv.slice(2)))
