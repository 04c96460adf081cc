import { library } from '../../scripts/tsup.js'

export default library({
  entry: {
    index: 'src/index.ts',
    opentelemetry: 'src/adapters/opentelemetry.ts',
    testing: 'src/adapters/testing.ts',
  },
})
