import { sessionsOverHttp, twoProcesses } from './sessions-over-http.js'

const processes = twoProcesses('./hono-server.ts')
sessionsOverHttp('./hono-server.ts', processes)
