import { sessionsOverHttp, twoProcesses } from './sessions-over-http.js'

const processes = twoProcesses('./fastify-server.ts')
sessionsOverHttp('./fastify-server.ts', processes)
