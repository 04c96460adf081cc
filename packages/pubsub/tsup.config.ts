import { library } from '../../scripts/tsup.js'

export default library({
  entry: {
    index: 'src/index.ts',
    browser: 'src/adapters/browser.ts',
    graphql: 'src/adapters/graphql.ts',
    'socket.io': 'src/adapters/socket.io.ts',
    sse: 'src/adapters/sse.ts',
    websocket: 'src/adapters/websocket.ts',
  },
})
