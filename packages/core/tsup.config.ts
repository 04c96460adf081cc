import { library } from '../../scripts/tsup.js'

export default library({
  entry: {
    index: 'src/index.ts',
    metrics: 'src/adapters/metrics.ts',
    opentelemetry: 'src/adapters/opentelemetry.ts',
  },
})
