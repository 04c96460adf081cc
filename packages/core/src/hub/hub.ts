import type { Database } from '../database.js'
import type { Driver } from '../drivers/driver.js'

export class Hub {
  constructor(_db: Database, _driver: Driver) {}
  async close(): Promise<void> {}
}
