import { library } from '../../scripts/tsup.js'

export default library({ entry: { index: 'src/index.ts' } })
