import { sessionsOverHttp, twoProcesses } from './sessions-over-http.js'

sessionsOverHttp('./node-http-server.ts', twoProcesses('./node-http-server.ts'))
