import { library } from '../../scripts/tsup.js'

export default library({
  entry: {
    index: 'src/index.ts',
    bentocache: 'src/adapters/bentocache.ts',
    keyv: 'src/adapters/keyv.ts',
    unstorage: 'src/adapters/unstorage.ts',
  },
})
