import { randomInt } from 'node:crypto'
import { createServer } from 'node:net'
import { testkitError } from '../errors.js'

/**
 * Finds a port nobody listens on.
 *
 * Ports are taken from below the range systems hand out to outgoing connections. A server that is killed and started
 * again must find its port unused, and a client that keeps trying such a port of the outgoing range can be connected
 * to itself.
 */
export async function freePort(host = '127.0.0.1'): Promise<number> {
  for (let attempt = 0; attempt < 200; attempt++) {
    const port = randomInt(15_000, 32_000)
    if (await isFree(port, host)) return port
  }
  throw testkitError(
    'TESTKIT_START_FAILED',
    `No free port was found on ${host}; check that the address belongs to this machine.`,
  )
}

function isFree(port: number, host: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer()
    probe.once('error', () => resolve(false))
    probe.listen({ port, host, exclusive: true }, () => probe.close(() => resolve(true)))
  })
}
